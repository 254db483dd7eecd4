import { type Channel, channel } from 'node:diagnostics_channel';
import type { Envelope } from './cluster/envelope.js';
import type { SSEKifyEventMap } from './events.js';
import type { ConnectInfo, ConnectionId, DisconnectInfo, MessageSentInfo } from './types.js';

/** A slow client's connection lost frames, which its next gap event will say. */
export interface DropInfo {
  userId: string;
  connId: ConnectionId;
  /** Frames dropped from its queue. */
  oldest: number;
  /** Frames refused. */
  newest: number;
}

/** The messages by channel. */
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
