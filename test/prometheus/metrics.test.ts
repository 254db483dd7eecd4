import { AggregatorRegistry, Gauge, type OpenMetricsContentType, Registry, register } from 'prom-client';
import { expect, it, vi } from 'vitest';
import { SSEKify, type SSEKifyStats } from '../../src/index.js';
import { collectMetrics, type MetricsOptions } from '../../src/prometheus/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { next } from '../helpers/emitted.js';
import { Exposition } from '../helpers/exposition.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { endWithTest, serve, serveHub } from '../helpers/server.js';
import { STALL_HUB, stall } from '../helpers/stall.js';

function newHub(): SSEKify {
  const sse = new SSEKify();
  endWithTest(sse);
  return sse;
}

const scrape = async (registry: { metrics(): Promise<string> }) => new Exposition(await registry.metrics());

/** A hub whose metrics are on a registry of its own. */
async function collected(options: MetricsOptions = {}, hub: Parameters<typeof serveHub>[0] = {}) {
  const registry = new Registry();
  const served = await serveHub(hub);
  const stop = collectMetrics(served.sse, { registry, ...options });
  return { registry, stop, ...served, scrape: () => scrape(registry) };
}

it('counts connections that come, are refused and go', async () => {
  const hub = { maxConnections: 2 };
  const { sse, url, scrape: read } = await collected({}, { hub });
  const client = await openStream(`${url}/ann?rooms=a,b`);
  await openStream(`${url}/ann`);
  await openStream(`${url}/bob`);
  sse.sendToUser('ann', 'x');
  let metrics = await read();
  expect(metrics.value('ssekify_connections')).toBe(2);
  expect(metrics.value('ssekify_users')).toBe(1);
  expect(metrics.value('ssekify_rooms')).toBe(2);
  expect(metrics.value('ssekify_frames_sent_total')).toBe(2);
  expect(metrics.value('ssekify_connections_refused_total', { reason: 'limit' })).toBe(1);
  expect(metrics.value('ssekify_connections_refused_total', { reason: 'user-limit' })).toBe(0);
  const accepted = ['socket', 'response'].map((sink) => metrics.value('ssekify_connections_accepted_total', { sink }));
  expect(accepted.sort()).toEqual([0, 2]);
  expect(metrics.value('ssekify_replay_events')).toBe(1);
  expect(metrics.value('ssekify_replay_bytes')).toBeGreaterThan(10);
  const left = next(sse, 'disconnect');
  client.close();
  await left;
  metrics = await read();
  expect(metrics.value('ssekify_connections')).toBe(1);
  expect(metrics.value('ssekify_rooms')).toBe(0);
  expect(metrics.value('ssekify_draining')).toBe(0);
  sse.stopAccepting();
  expect((await read()).value('ssekify_draining')).toBe(1);
});

it('counts what slow clients lose, and the gaps they are told of', async () => {
  const { sse, url, handle, scrape: read } = await collected({}, { hub: STALL_HUB, register: { maxQueueItems: 2 } });
  const client = await openStream(`${url}/ann`, { paused: true });
  await handle(0);
  await stall(sse, 'ann');
  for (let n = 0; n < 5; n += 1) sse.sendToUser('ann', n);
  const told = next(sse, 'gap');
  client.resume();
  await told;
  const { droppedOldest, droppedNewest, queueBytesMax } = sse.stats();
  const metrics = await read();
  expect(droppedOldest).toBeGreaterThan(2);
  expect(metrics.value('ssekify_frames_dropped_total', { frame: 'oldest' })).toBe(droppedOldest);
  expect(metrics.value('ssekify_frames_dropped_total', { frame: 'newest' })).toBe(droppedNewest);
  expect(metrics.value('ssekify_gaps_total', { reason: 'dropped' })).toBe(1);
  expect(metrics.value('ssekify_queue_max_frames')).toBe(2);
  expect(metrics.value('ssekify_queue_max_bytes')).toBe(queueBytesMax);
});

it('shows the state of the channel between instances as one of four', async () => {
  const adapter = new MemoryBus().adapter();
  const registry = new Registry();
  const sse = new SSEKify({ redis: adapter });
  sse.on('error', () => undefined);
  endWithTest(sse);
  collectMetrics(sse, { registry });
  const states = async () => {
    const { samples = [] } = (await scrape(registry)).families.get('ssekify_bus_state') ?? {};
    expect(samples.map(({ labels }) => labels.state)).toEqual(['none', 'connecting', 'up', 'down']);
    return samples.filter(({ value }) => value === 1).map(({ labels }) => labels.state);
  };
  expect(await states()).toEqual(['connecting']);
  await sse.ready();
  expect(await states()).toEqual(['up']);
  await sse.publishToAll('x');
  adapter.refusal = new Error('no');
  await sse.publishToAll('y').catch(() => undefined);
  adapter.tell('down');
  expect(await states()).toEqual(['down']);
  const metrics = await scrape(registry);
  expect(metrics.value('ssekify_bus_publishes_total', { outcome: 'published' })).toBe(1);
  expect(metrics.value('ssekify_bus_publishes_total', { outcome: 'refused' })).toBe(1);
  expect(metrics.value('ssekify_bus_envelopes_received_total')).toBe(1);
  expect(metrics.value('ssekify_bus_outages_total')).toBe(1);
  expect(metrics.value('ssekify_errors_total')).toBe(sse.stats().errorCount);
});

/** The stats with another number in each place, and those numbers as the metrics show them. */
function numbered(stats: SSEKifyStats): { stats: SSEKifyStats; shown: number[] } {
  let count = 1000;
  const shown: number[] = [];
  const walk = (value: unknown, name: string): unknown => {
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each, key)]));
    }
    if (typeof value !== 'number') return value;
    count += 1;
    shown.push(/(?:Ms|At)$/.test(name) ? count / 1000 : count);
    return count;
  };
  return { stats: walk(stats, '') as SSEKifyStats, shown };
}

it('shows every number of stats(), each once', async () => {
  const { sse, scrape: read } = await collected();
  const { stats, shown } = numbered(sse.stats());
  vi.spyOn(sse, 'stats').mockReturnValue({ ...stats, draining: true, bus: { ...stats.bus, state: 'up' } });
  const { samples } = await read();
  const flags = samples.filter(({ name }) => /_(?:bus_state|draining)$/.test(name));
  expect(flags.map(({ value }) => value)).toEqual([1, 0, 0, 1, 0]);
  const values = samples.filter((sample) => !flags.includes(sample)).map(({ value }) => value);
  expect(values.sort()).toEqual(shown.sort());
});

it('names metrics as Prometheus asks, each with a help', async () => {
  const { families } = await (await collected()).scrape();
  expect(families.size).toBeGreaterThan(30);
  for (const [name, { type, help }] of families) {
    expect(name).toMatch(/^ssekify_[a-z]+(?:_[a-z]+)*$/);
    expect({ name, type }).toEqual({ name, type: name.endsWith('_total') ? 'counter' : 'gauge' });
    expect(name).not.toMatch(/_(?:ms|milliseconds|kb|count)(?:_|$)/);
    expect(help).toMatch(/^[A-Z1].{10,}\.$|never\.$/);
  }
});

it('has no label of a user or a room, however they are called', async () => {
  const { registry, url, sse } = await collected();
  await openStream(`${url}/the-user?rooms=the-room`);
  sse.sendToRoom('the-room', 'x');
  sse.sendToUser('another-user', 'x');
  expect(await registry.metrics()).not.toMatch(/the-user|the-room|another-user/);
});

it('reads the stats when it is scraped, once for all metrics, and not before', async () => {
  const { sse, registry, scrape: read } = await collected();
  const stats = vi.spyOn(sse, 'stats');
  await read();
  expect(stats).toHaveBeenCalledTimes(1);
  await Promise.all([registry.metrics(), registry.getMetricsAsJSON()]);
  expect(stats).toHaveBeenCalledTimes(2);
  await read();
  expect(stats).toHaveBeenCalledTimes(3);
  sse.sendToAll('x');
  expect(await registry.getSingleMetricAsString('ssekify_replay_events')).toMatch(/^ssekify_replay_events 1$/m);
});

it('reads them anew when a test has taken back the fake microtasks of a scrape', async () => {
  const { sse, scrape: read } = await collected();
  vi.useFakeTimers({ toFake: ['queueMicrotask'] });
  await read().finally(() => vi.useRealTimers());
  sse.sendToAll('x');
  expect((await read()).value('ssekify_replay_events')).toBe(1);
});

it('tells hubs on one registry apart by their labels, and takes each out by itself', async () => {
  const registry = new Registry();
  const [one, two] = [newHub(), newHub()];
  const stopOne = collectMetrics(one, { registry, labels: { hub: 'one', shard: 1 } });
  const stopTwo = collectMetrics(two, { registry, labels: { shard: 2, hub: 'a "quoted"\nname' } });
  one.sendToAll('x');
  const events = async (hub: string) => (await scrape(registry)).value('ssekify_replay_events', { hub });
  expect([await events('one'), await events('a "quoted"\nname')]).toEqual([1, 0]);
  const { samples } = await scrape(registry);
  for (const { labels } of samples) expect(['1', '2']).toContain(labels.shard);
  stopOne();
  stopOne();
  expect(new Set((await scrape(registry)).samples.map(({ labels }) => labels.hub))).toEqual(
    new Set(['a "quoted"\nname']),
  );
  const again = collectMetrics(one, { registry, labels: { hub: 'one', shard: 1 } });
  expect(await events('one')).toBe(1);
  again();
  stopTwo();
  expect(registry.getMetricsAsArray()).toEqual([]);
  collectMetrics(one, { registry });
  expect((await scrape(registry)).value('ssekify_connections')).toBe(0);
});

it('keeps prefixes on one registry apart, also an empty one', async () => {
  const registry = new Registry();
  const sse = newHub();
  const stop = collectMetrics(sse, { registry, prefix: 'app:sse_' });
  collectMetrics(sse, { registry, prefix: '' });
  stop();
  const names = [...(await scrape(registry)).families.keys()];
  expect(names).toContain('connections');
  expect(names.filter((name) => name.startsWith('app:'))).toEqual([]);
});

it('leaves alone what others have on the registry', async () => {
  const registry = new Registry();
  const stop = collectMetrics(newHub(), { registry });
  registry.removeSingleMetric('ssekify_users');
  const own = new Gauge({ name: 'ssekify_users', help: 'Mine.', registers: [registry] });
  stop();
  expect(registry.getMetricsAsArray()).toEqual([own]);
});

it('begins anew after the registry was cleared', async () => {
  const { registry, sse, stop, scrape: read } = await collected();
  registry.clear();
  expect((await registry.metrics()).trim()).toBe('');
  const again = collectMetrics(sse, { registry });
  stop();
  expect((await read()).value('ssekify_connections')).toBe(0);
  again();
  expect(registry.getMetricsAsArray()).toEqual([]);
});

it('uses the registry that prom-client exports when none is given', async () => {
  atEnd(collectMetrics(newHub()));
  expect((await scrape(register)).value('ssekify_connections')).toBe(0);
});

it('serves OpenMetrics as well, and goes from there', async () => {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const sse = newHub();
  const stop = collectMetrics(sse, { registry });
  for (let turn = 0; turn < 2; turn += 1) {
    const metrics = await scrape(registry);
    expect(metrics.families.get('ssekify_frames_sent')?.type).toBe('counter');
    expect(metrics.value('ssekify_frames_sent_total')).toBe(0);
  }
  stop();
  expect(registry.getMetricsAsArray()).toEqual([]);
});

it('adds up the workers of a cluster, and of peaks takes the highest', async () => {
  const worker = async (events: number, lagMs: number) => {
    const registry = new Registry();
    const sse = newHub();
    const stats = sse.stats();
    collectMetrics(sse, { registry });
    vi.spyOn(sse, 'stats').mockReturnValue({ ...stats, sent: events, log: { ...stats.log, lagMs } });
    return registry.getMetricsAsJSON();
  };
  const metrics = await scrape(AggregatorRegistry.aggregate([await worker(3, 500), await worker(4, 2000)]));
  expect(metrics.value('ssekify_frames_sent_total')).toBe(7);
  expect(metrics.value('ssekify_log_lag_seconds')).toBe(2);
});

it('is scraped over HTTP while streams are open', async () => {
  const { registry, url, sse } = await collected();
  const { url: metricsUrl } = await serve(async (_req, res) => {
    res.setHeader('Content-Type', registry.contentType);
    res.end(await registry.metrics());
  });
  const client = await openStream(`${url}/ann`);
  sse.sendToAll('x');
  await client.received(1);
  const response = await fetch(metricsUrl, { headers: { connection: 'close' } });
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(new Exposition(await response.text()).value('ssekify_frames_sent_total')).toBe(1);
});
