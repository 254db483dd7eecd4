import type { Envelope } from './cluster/envelope.js';
import { DROPS, type DropInfo, watchedChannel } from './diagnostics.js';
import { reasonOf, SSEKifyError } from './errors.js';
import { queueMicrotask } from './event-loop.js';
import type { Counters } from './stats.js';
import type { ConnectInfo, DisconnectInfo, GapInfo, MessageSentInfo, RoomInfo, Scope, UntypedEvents } from './types.js';

/** The events of a hub, with what their listeners get. */
export interface SSEKifyEventMap<Events extends object = UntypedEvents> {
  /** A connection was accepted. */
  connect: [info: ConnectInfo<Events>];
  /** A connection ended. */
  disconnect: [info: DisconnectInfo];
  /** An envelope was received, or published on an instance that is alone. */
  publish: [envelope: Envelope];
  /** An event was given to connections of this instance. */
  'message-sent': [info: MessageSentInfo];
  /** A room of this instance has its first connection. */
  'room-created': [info: RoomInfo];
  /** A room of this instance has no connection any more, and has not had one for its `emptyTimeoutMs`. */
  'room-removed': [info: RoomInfo];
  /** A client was told of a gap. */
  gap: [info: GapInfo];
  /** Something went wrong that no call could throw; without a listener nothing is thrown. */
  error: [error: SSEKifyError];
}

/** The emitter as the reporter needs it. */
export interface Emitter {
  /** The hub as its users see it. */
  readonly hub: object;
  emit(event: string, payload: unknown): void;
  listens(event: string): boolean;
}

/** Emits so that no listener can break a delivery. */
export class Reporter {
  readonly #emitter: Emitter;
  readonly #counters: Counters;
  #warned = false;

  constructor(emitter: Emitter, counters: Counters) {
    this.#emitter = emitter;
    this.#counters = counters;
  }

  /** Whether somebody listens or has subscribed; asked where even the closure for a payload would be too much. */
  isHeard(event: keyof SSEKifyEventMap): boolean {
    return watchedChannel(event) !== undefined || this.#emitter.listens(event);
  }

  /** Whether somebody is told of each event. */
  get tellsOfEvents(): boolean {
    return this.isHeard('publish') || this.isHeard('message-sent');
  }

  /** Emits; the payload is made only when somebody listens, or has subscribed to its diagnostics channel. */
  tell(event: Exclude<keyof SSEKifyEventMap, 'error'>, payload: () => object): void {
    const channel = watchedChannel(event);
    if (channel === undefined && !this.#emitter.listens(event)) return;
    try {
      const told = payload();
      // Node keeps to itself what a subscriber throws, and makes it an uncaught exception of the process later.
      channel?.publish({ ...told, hub: this.#emitter.hub });
      this.#emitter.emit(event, told);
    } catch (cause) {
      this.listenerFailed(event, cause);
    }
  }

  /** Tells the subscribers that frames were lost, later: in here they could send, and add connections to those being sent to. */
  dropped(drop: () => DropInfo): void {
    if (!DROPS.hasSubscribers) return;
    const message = { ...drop(), hub: this.#emitter.hub };
    queueMicrotask(() => DROPS.publish(message));
  }

  /** Reports a listener that threw, or whose promise rejected. */
  listenerFailed(event: string, cause: unknown): void {
    if (event === 'error') {
      process.emitWarning(`a listener of 'error' threw: ${reasonOf(cause)}`, 'SSEKifyWarning', 'LISTENER_FAILED');
    } else {
      this.error(new SSEKifyError('LISTENER_FAILED', `a listener of '${event}' threw: ${reasonOf(cause)}`, { cause }));
    }
  }

  /** Reports an error; without a listener the first of a hub becomes a process warning. */
  error(error: SSEKifyError): void {
    this.#counters.errorCount += 1;
    if (!this.#emitter.listens('error')) {
      if (!this.#warned)
        process.emitWarning(`${error.message} (Listen to 'error' to hear of every one.)`, 'SSEKifyWarning', error.code);
      this.#warned = true;
      return;
    }
    try {
      this.#emitter.emit('error', error);
    } catch (cause) {
      this.listenerFailed('error', cause);
    }
  }
}

/** What `'message-sent'` tells. */
export function sentInfo(scope: Scope, count: number): MessageSentInfo {
  if (scope.kind === 'all') return { scope: 'all', count };
  return scope.kind === 'user'
    ? { scope: 'user', userId: scope.name, count }
    : { scope: 'room', room: scope.name, count };
}
