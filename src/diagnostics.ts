import { type Channel, channel } from 'node:diagnostics_channel';
import type { Envelope } from './cluster/envelope.js';
import type { SSEKifyEventMap } from './events.js';
import type { ConnectInfo, ConnectionId, DisconnectInfo, MessageSentInfo } from './types.js';

/** What the channel `ssekify:drop` tells: a slow client's connection lost frames, which its next gap event will say. */
export interface DropInfo {
  userId: string;
  connId: ConnectionId;
  /** Frames dropped from the front of its queue. */
  oldest: number;
  /** Frames refused, since the queue was full or the frame larger than the queue may be. */
  newest: number;
}

/**
 * The channels of `node:diagnostics_channel`, by name, with the messages their subscribers get. They tell of every hub of
 * the process; `hub` says of which.
 */
export interface DiagnosticsMap<Hub extends object> {
  /** A connection was accepted; told before `'connect'` is emitted. */
  'ssekify:connect': ConnectInfo & { hub: Hub };
  /** A connection ended. */
  'ssekify:disconnect': DisconnectInfo & { hub: Hub };
  /** An event was given to connections of this instance, as `'message-sent'` tells. */
  'ssekify:send': MessageSentInfo & { hub: Hub };
  /** A connection lost frames; told once the call that sent them has returned. */
  'ssekify:drop': DropInfo & { hub: Hub };
  /** An envelope was received, or published on an instance that is alone, as `'publish'` tells. */
  'ssekify:publish': Envelope & { hub: Hub };
}

const channelNamed = (name: keyof DiagnosticsMap<object>): Channel => channel(name);

/** The channels by the event of the hub that they tell of as well. */
const CHANNELS: Readonly<Partial<Record<keyof SSEKifyEventMap, Channel>>> = {
  connect: channelNamed('ssekify:connect'),
  disconnect: channelNamed('ssekify:disconnect'),
  'message-sent': channelNamed('ssekify:send'),
  publish: channelNamed('ssekify:publish'),
};

/** The channel that tells of an event of the hub, if somebody subscribed to it. */
export function watchedChannel(event: keyof SSEKifyEventMap): Channel | undefined {
  const found = CHANNELS[event];
  return found?.hasSubscribers === true ? found : undefined;
}

export const DROPS = channelNamed('ssekify:drop');
