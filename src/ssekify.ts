import { EventEmitter } from 'node:events';
import { flag, milliseconds, readOptions } from './checks.js';
import { envelopeOf } from './cluster/envelope.js';
import { jitteredRetry } from './delivery/admission.js';
import { Clock } from './delivery/clock.js';
import { Delivery } from './delivery/delivery.js';
import { sayFarewell } from './delivery/farewell.js';
import { ConnectionHandle, RefusedHandle } from './delivery/handle.js';
import { Heartbeats } from './delivery/heartbeat.js';
import { Reception } from './delivery/reception.js';
import { EVERYONE, roomScope, type Scope, userScope } from './delivery/scope.js';
import { checkResponse, type NodeResponse } from './delivery/sinks/response.js';
import { SSEKifyError } from './errors.js';
import { Reporter, type SSEKifyEventMap } from './events.js';
import { checkRoom, checkUserId, nameOf } from './names.js';
import { type Registration, readHubOptions, registrationReader, type SSEKifyOptions } from './options.js';
import { createInstanceId, timestampIds } from './stamp/ids.js';
import { readSendOptions, Stamper, type Wish } from './stamp/stamper.js';
import { Counters, type SSEKifyStats } from './stats.js';
import type {
  ConnectionId,
  EventData,
  EventName,
  PublishResult,
  RegisteredConnectionHandle,
  RegisterOptions,
  RoomName,
  SendOptions,
  ShutdownOptions,
  UntypedEvents,
  UserId,
} from './types.js';
import { checkEvent } from './wire/fields.js';
import { encodeEvent, type Frame, type WireEvent } from './wire/frame.js';

const shutdownSchema = {
  announce: flag(true),
  event: (value: unknown) => (value === undefined ? 'server:shutdown' : checkEvent(value)),
  graceMs: milliseconds(5000),
};

/** Refusals of data, which `sendTo*` reports and does not throw. */
const DATA_ERRORS: ReadonlySet<string> = new Set(['NOT_SERIALIZABLE', 'PAYLOAD_TOO_LARGE', 'STAMP_FAILED']);

/**
 * A hub: it holds the connections of this instance and sends events to them by user, by room, or to everyone.
 *
 * `Events` is an optional map from event names to their data, against which every send is checked.
 *
 * @example
 * ```ts
 * import express from 'express';
 * import { SSEKify } from 'ssekify';
 *
 * const app = express();
 * const sse = new SSEKify();
 *
 * app.get('/sse', (req, res) => {
 *   sse.registerConnection(String(req.query.userId), res, { rooms: ['news'] });
 * });
 * app.post('/notify/:userId', (req, res) => {
 *   res.json({ reached: sse.sendToUser(req.params.userId, { hello: 'you' }, { event: 'notify' }) });
 * });
 * app.listen(3000);
 * ```
 */
export class SSEKify<Events extends object = UntypedEvents> extends EventEmitter<SSEKifyEventMap<Events>> {
  readonly #counters = new Counters();
  readonly #reporter: Reporter;
  readonly #clock = new Clock();
  readonly #stamper: Stamper;
  readonly #delivery: Delivery;
  readonly #reception: Reception;
  readonly #readRegistration: (options: unknown) => Registration;
  readonly #instanceId = createInstanceId();
  #farewell: Promise<void> | undefined;
  #over = false;

  /** @throws {@link SSEKifyError} `INVALID_OPTION`, naming the option, its value and what is allowed */
  constructor(options?: SSEKifyOptions) {
    super();
    const hub = readHubOptions(options);
    this.#readRegistration = registrationReader(hub);
    this.#reporter = new Reporter(
      {
        emit: (event, payload) => EventEmitter.prototype.emit.call(this, event, payload),
        listens: (event) => EventEmitter.prototype.listenerCount.call(this, event) > 0,
      },
      this.#counters,
    );
    const now = () => this.#clock.now();
    const positionId = timestampIds(this.#instanceId);
    this.#stamper = new Stamper(hub, this.#instanceId, now);
    const heartbeats = new Heartbeats(({ event, data }) => encodeEvent(this.#stamper.plain(data, event), 0));
    this.#delivery = new Delivery({
      clock: this.#clock,
      counters: this.#counters,
      reporter: this.#reporter,
      limits: {
        maxItems: hub.recentBufferSize,
        ttlMs: hub.recentTTLMs,
        maxScopes: hub.recentMaxUsers,
        maxBytes: hub.recentMaxBytes,
      },
      gapEvent: hub.gapEvent,
      heartbeat: (settings) => heartbeats.of(settings),
      positionId,
    });
    this.#reception = new Reception(this.#delivery, this.#instanceId, hub);
    heartbeats.of(this.#readRegistration(undefined).settings);
  }

  /**
   * Makes a response a stream of this user: sends head and `retry:`, resends what the client missed, and delivers to it
   * from then on. Call it once per response; do not write to the response yourself.
   *
   * @param res - the raw Node response of HTTP/1.x or HTTP/2 (Koa: `ctx.res`, Fastify: `reply.raw`)
   * @returns the connection; when it was refused (the response is answered then) an inert one, with `refused` saying why
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, `INVALID_RESPONSE`, `INVALID_OPTION`, `INVALID_ROOM`,
   * `INVALID_HEADER`, before anything is sent
   */
  registerConnection(userId: UserId, res: NodeResponse, options?: RegisterOptions): RegisteredConnectionHandle<Events> {
    const user = checkUserId(userId);
    const response = checkResponse(res);
    const { connection, lastEventId, refused } = this.#reception.receive(
      user,
      response,
      this.#readRegistration(options),
    );
    if (connection === undefined) {
      const reason = refused ?? 'gone';
      this.#counters.refused[reason] += 1;
      return new RefusedHandle(user, lastEventId, reason);
    }
    const handle = new ConnectionHandle<Events>(
      connection,
      this.#delivery,
      (data, sendOptions) => this.#encode(data, readSendOptions(sendOptions, data), true),
      lastEventId,
    );
    this.#reporter.tell('connect', () => ({ userId: user, connId: connection.connId, handle }));
    return handle;
  }

  /**
   * Sends to a user's connections on this instance.
   *
   * @returns how many connections accepted it; 0 also when the data was refused, which `'error'` tells
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, `INVALID_EVENT`, `INVALID_ID`, `INVALID_RETRY`, `INVALID_TEXT`,
   * `INVALID_OPTION`, `REQUEST_ID_REQUIRED`
   */
  sendToUser<Name extends EventName<Events> = 'message'>(
    userId: UserId,
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): number {
    return this.#send(userScope(checkUserId(userId)), data, options);
  }

  /**
   * Sends to every connection of this instance.
   *
   * @returns how many connections accepted it; 0 also when the data was refused, which `'error'` tells
   * @throws {@link SSEKifyError} as {@link SSEKify.sendToUser}
   */
  sendToAll<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): number {
    return this.#send(EVERYONE, data, options);
  }

  /**
   * Sends to the connections of this instance that are in a room.
   *
   * @returns how many connections accepted it; 0 also when the data was refused, which `'error'` tells
   * @throws {@link SSEKifyError} `INVALID_ROOM`, and as {@link SSEKify.sendToUser}
   */
  sendToRoom<Name extends EventName<Events> = 'message'>(
    room: RoomName,
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): number {
    return this.#send(roomScope(checkRoom(room)), data, options);
  }

  /**
   * Sends to a user, or with no `userId` to everyone, on every instance of the channel. A `userId` that is empty, null or
   * otherwise unusable rejects: it never becomes a broadcast.
   *
   * It never throws; a failure rejects and is reported by `'error'`, and a rejection that nobody awaits is harmless.
   *
   * @returns the event's id, once the channel took it
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, `INVALID_EVENT`, `INVALID_ID`, `INVALID_RETRY`, `INVALID_TEXT`,
   * `INVALID_OPTION`, `REQUEST_ID_REQUIRED`, `NOT_SERIALIZABLE`, `PAYLOAD_TOO_LARGE`, `STAMP_FAILED`, `SHUTDOWN`
   */
  publish<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    userId?: undefined,
    options?: SendOptions<Name>,
  ): Promise<PublishResult>;
  publish<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    userId: UserId,
    options?: SendOptions<Name>,
  ): Promise<PublishResult>;
  publish(data: unknown, userId?: UserId, options?: SendOptions): Promise<PublishResult> {
    return this.#publish(() => (userId === undefined ? EVERYONE : userScope(checkUserId(userId))), data, options);
  }

  /** Sends to a user on every instance of the channel; as {@link SSEKify.publish}, with the user named first. */
  publishToUser<Name extends EventName<Events> = 'message'>(
    userId: UserId,
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): Promise<PublishResult> {
    return this.#publish(() => userScope(checkUserId(userId)), data, options);
  }

  /** Sends to everyone on every instance of the channel; fails as {@link SSEKify.publish}. */
  publishToAll<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): Promise<PublishResult> {
    return this.#publish(() => EVERYONE, data, options);
  }

  /** Sends to a room on every instance of the channel; fails as {@link SSEKify.publish}, and with `INVALID_ROOM`. */
  publishToRoom<Name extends EventName<Events> = 'message'>(
    room: RoomName,
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): Promise<PublishResult> {
    return this.#publish(() => roomScope(checkRoom(room)), data, options);
  }

  /**
   * Resolves when published events reach this instance: at once when it is alone.
   * @throws {@link SSEKifyError} `SHUTDOWN`
   */
  ready(): Promise<void> {
    return this.#farewell === undefined ? Promise.resolve() : harmless(Promise.reject(shutDown('ready()')));
  }

  /**
   * Ends a user's connections on this instance, or without an argument all of them, after the frames they accepted.
   * @returns how many were open
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, also for an `undefined` given by mistake
   */
  close(...user: [] | [userId: UserId]): number {
    const { all, users } = this.#delivery.registry;
    const leaving = user.length === 0 ? all : users.get(checkUserId(user[0]));
    const connections = [...(leaving ?? [])];
    for (const connection of connections) connection.close('server');
    return connections.length;
  }

  /**
   * Empties a user's replay buffer, or without an argument all buffers. Clients that come back from before get a gap.
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, also for an `undefined` given by mistake
   */
  clearRecent(...user: [] | [userId: UserId]): void {
    this.#delivery.replay.clear(user.length === 0 ? undefined : userScope(checkUserId(user[0])));
  }

  /** Lets no more connections in; clients that try are told when to come back, and reach another instance then. */
  stopAccepting(): void {
    this.#reception.draining = true;
  }

  /**
   * Ends everything: announces it, ends the connections evenly over the first half of `graceMs`, each with its own
   * `retry:`, and cuts off after `graceMs` those that do not read. Calling it again gives the same promise.
   * @returns when all have left
   * @throws {@link SSEKifyError} `INVALID_OPTION`, `INVALID_EVENT`
   */
  shutdown(options?: ShutdownOptions): Promise<void> {
    if (this.#farewell !== undefined) return this.#farewell;
    const wish = readOptions(shutdownSchema, options, 'options');
    this.stopAccepting();
    if (wish.announce) {
      const text = JSON.stringify({ code: 'SHUTDOWN', at: Date.now() });
      const { registry } = this.#delivery;
      this.#delivery.fanOut(registry.all, encodeEvent({ event: wish.event, text }, 0));
    }
    this.#farewell = sayFarewell(this.#delivery, wish.graceMs, (connection) =>
      connection.close('shutdown', jitteredRetry(connection.settings.retryMs)),
    ).then(() => {
      this.#over = true;
      this.#clock.stop();
    });
    return this.#farewell;
  }

  /** What this instance holds and has counted. */
  stats(): SSEKifyStats {
    const { registry, replay } = this.#delivery;
    const { buffers, items, bytes } = replay.size;
    const { refused, gaps, ...counters } = this.#counters;
    return {
      connections: registry.all.size,
      users: registry.users.size,
      rooms: registry.rooms.size,
      ...counters,
      refused: { ...refused },
      gaps: { ...gaps },
      seqIncrsLocal: this.#stamper.seqIncrs,
      recentBuffers: buffers,
      recentItems: items,
      recentBytes: bytes,
      draining: this.#reception.draining,
      bus: { state: 'none' },
    };
  }

  /** How many connections a user has on this instance; 0 for an unusable id. */
  getUserConnectionCount(userId: UserId): number {
    return this.#delivery.registry.users.get(nameOf(userId) ?? '')?.size ?? 0;
  }

  /** The ids of a user's connections on this instance; none for an unusable id. */
  getUserConnectionIds(userId: UserId): ConnectionId[] {
    const connections = this.#delivery.registry.users.get(nameOf(userId) ?? '') ?? [];
    return [...connections].map(({ connId }) => connId);
  }

  /** Every user of this instance with the number of their connections; the object has no prototype. */
  getAllUsersConnectionStats(): Record<string, number> {
    const counts: Record<string, number> = Object.create(null);
    for (const [userId, connections] of this.#delivery.registry.users) counts[userId] = connections.size;
    return counts;
  }

  /** Whether a user has a connection on this instance; `false` for an unusable id. */
  isUserOnline(userId: UserId): boolean {
    return this.getUserConnectionCount(userId) > 0;
  }

  /** The rooms of this instance that have a connection in them. */
  getRooms(): string[] {
    return [...this.#delivery.registry.rooms.keys()];
  }

  /** How many connections of this instance are in a room; 0 for an unusable name. */
  getRoomConnectionCount(room: RoomName): number {
    return this.#delivery.registry.rooms.get(nameOf(room) ?? '')?.size ?? 0;
  }

  #send(scope: Scope, data: unknown, options: SendOptions | undefined): number {
    const wish = readSendOptions(options, data);
    if (this.#over) return 0;
    const frame = this.#encode(data, wish, false);
    return frame === undefined ? 0 : this.#deliver(scope, frame);
  }

  #publish(scopeOf: () => Scope, data: unknown, options: SendOptions | undefined): Promise<PublishResult> {
    try {
      const scope = scopeOf();
      const wish = readSendOptions(options, data);
      if (this.#over) throw shutDown('publish');
      const event = this.#stamp(data, wish, false);
      this.#reporter.tell('publish', () => envelopeOf(scope, event, this.#instanceId));
      this.#deliver(scope, encodeEvent(event, this.#delivery.nextOrder()));
      return Promise.resolve({ id: event.id });
    } catch (error) {
      const refusal = asError(error);
      this.#reporter.error(refusal);
      return harmless(Promise.reject(refusal));
    }
  }

  /** Stamps and encodes; data that is refused is reported. */
  #encode(data: unknown, wish: Wish, live: boolean): Frame | undefined {
    try {
      return encodeEvent(this.#stamp(data, wish, live), this.#delivery.nextOrder());
    } catch (error) {
      const refusal = asError(error);
      if (!DATA_ERRORS.has(refusal.code)) throw refusal;
      this.#reporter.error(refusal);
      return undefined;
    }
  }

  #stamp(data: unknown, wish: Wish, live: boolean): WireEvent {
    return this.#stamper.stamp(data, wish, { live });
  }

  #deliver(scope: Scope, frame: Frame): number {
    const count = this.#delivery.deliver(scope, frame);
    this.#reporter.tell('message-sent', () => {
      if (scope.kind === 'all') return { scope: 'all', count };
      return scope.kind === 'user'
        ? { scope: 'user', userId: scope.name, count }
        : { scope: 'room', room: scope.name, count };
    });
    return count;
  }
}

const shutDown = (what: string) =>
  new SSEKifyError('SHUTDOWN', `${what} was called after shutdown(); make a new SSEKify to go on.`);

function asError(error: unknown): SSEKifyError {
  if (error instanceof SSEKifyError) return error;
  return new SSEKifyError('STAMP_FAILED', `the event could not be made: ${String(error)}`, { cause: error });
}

/** A rejection that nobody awaits must not end the process. */
function harmless<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}
