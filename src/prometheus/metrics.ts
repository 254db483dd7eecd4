import type { SSEKifyStats } from '../index.js';

/** One metric: its name without the prefix, and what it reads from the stats of a hub. */
export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  /** The label that its series differ in; `undefined` when it has one. */
  readonly label: string | undefined;
  /** How the workers of a cluster become one. */
  readonly aggregator: 'sum' | 'max';
  /** The value, or with a label the value of each series. */
  read(stats: SSEKifyStats): number | Readonly<Record<string, number>>;
}

type Read = MetricDefinition['read'];

const gauge = (name: string, help: string, read: Read, label?: string): MetricDefinition => ({
  kind: 'gauge',
  name,
  help,
  label,
  aggregator: 'sum',
  read,
});

const counter = (name: string, help: string, read: Read, label?: string): MetricDefinition => ({
  ...gauge(`${name}_total`, help, read, label),
  kind: 'counter',
});

/** A gauge of which the worst counts. */
const peak = (name: string, help: string, read: Read): MetricDefinition => ({
  ...gauge(name, help, read),
  aggregator: 'max',
});

const BUS_STATES = ['none', 'connecting', 'up', 'down'] satisfies SSEKifyStats['bus']['state'][];

/** All that `stats()` tells. */
export const METRICS: readonly MetricDefinition[] = [
  gauge('connections', 'Open connections.', (stats) => stats.connections),
  gauge('users', 'Users with an open connection.', (stats) => stats.users),
  gauge('rooms', 'Rooms with a connection in them.', (stats) => stats.rooms),
  gauge('draining', '1 when new connections are refused before a shutdown, else 0.', ({ draining }) =>
    Number(draining),
  ),
  counter('connections_accepted', 'Connections accepted, by how they are written to.', (stats) => stats.sinks, 'sink'),
  counter('connections_refused', 'Connections refused, by reason.', (stats) => stats.refused, 'reason'),
  counter(
    'slow_disconnects',
    'Connections ended because their client was too slow, by reason.',
    (stats) => ({ backpressure: stats.disconnectedByBackpressure, stalled: stats.disconnectedByStall }),
    'reason',
  ),
  counter('frames_sent', 'Frames that connections accepted.', (stats) => stats.sent),
  counter('frames_replayed', 'Frames resent from what is kept.', (stats) => stats.replayed),
  counter(
    'frames_dropped',
    'Frames lost to slow clients: the oldest of a full queue, or the newest, which it refused.',
    (stats) => ({ oldest: stats.droppedOldest, newest: stats.droppedNewest }),
    'frame',
  ),
  peak('queue_max_frames', 'The most frames that ever waited behind one slow client.', (stats) => stats.queueItemsMax),
  peak('queue_max_bytes', 'The most bytes that ever waited behind one slow client.', (stats) => stats.queueBytesMax),
  counter('gaps', 'Gaps that clients were told of, by reason.', (stats) => stats.gaps, 'reason'),
  gauge('replay_buffers', 'User and room buffers kept for replay.', (stats) => stats.recentBuffers),
  gauge('replay_events', 'Events kept for replay.', (stats) => stats.recentItems),
  gauge('replay_bytes', 'Bytes of the events kept for replay.', (stats) => stats.recentBytes),
  counter('errors', 'Errors reported.', (stats) => stats.errorCount),
  counter(
    'seq_numbers',
    'Sequence numbers given, by where they come from.',
    (stats) => ({ memory: stats.seqIncrsLocal, redis: stats.seqIncrsRedis }),
    'source',
  ),
  peak(
    'seq_fallback_timestamp_seconds',
    'When sequence numbers last fell back from Redis to memory, in Unix time; 0 = never.',
    (stats) => stats.lastSeqKvFallbackAt / 1000,
  ),
  gauge(
    'bus_state',
    'State of the subscription to the channel between instances: 1 for the one it is in, else 0.',
    ({ bus }) => Object.fromEntries(BUS_STATES.map((state) => [state, Number(state === bus.state)])),
    'state',
  ),
  gauge('bus_pending_publishes', 'Publishes waiting for their answer or their echo.', ({ bus }) => bus.pending),
  counter(
    'bus_publishes',
    'Publishes, by what became of them at the channel.',
    ({ bus: { published, refused, unanswered } }) => ({ published, refused, unanswered }),
    'outcome',
  ),
  counter('bus_envelopes_received', 'Envelopes received, own ones included.', ({ bus }) => bus.received),
  counter('bus_envelopes_duplicate', 'Envelopes not delivered again.', ({ bus }) => bus.duplicates),
  counter('bus_envelopes_invalid', 'Envelopes dropped as unusable.', ({ bus }) => bus.invalid),
  counter('bus_fallbacks', 'Own events delivered here without the channel.', ({ bus }) => bus.fallbacks),
  counter('bus_outages', 'Times the subscription was lost.', ({ bus }) => bus.outages),
  peak('log_lag_seconds', 'How far this instance is behind the end of the log.', ({ log }) => log.lagMs / 1000),
  counter('log_entries_read', 'Entries of the log that were read, ticks included.', ({ log }) => log.entriesRead),
  gauge('log_ring_events', 'Events of the log held in memory.', ({ log }) => log.ringItems),
  gauge('log_ring_bytes', 'Bytes of the log held in memory.', ({ log }) => log.ringBytes),
  counter(
    'log_resumes',
    'Clients that came back, by where what they missed was read.',
    ({ log }) => ({ memory: log.resumesFromMemory, redis: log.resumesFromRedis }),
    'source',
  ),
  counter(
    'log_left_behind',
    'Times a slow client was left behind and read on from memory.',
    ({ log }) => log.leftBehind,
  ),
];

/** The labels that the metrics have themselves. */
export const OWN_LABELS: readonly string[] = [...new Set(METRICS.flatMap(({ label }) => label ?? []))];
