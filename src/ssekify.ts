import { EventEmitter } from 'node:events';
import { EVERYONE, roomScope, scopeFor, userScope } from './delivery/scope.js';
import type { NodeResponse } from './delivery/sinks/response.js';
import type { DiagnosticsMap } from './diagnostics.js';
import type { SSEKifyEventMap } from './events.js';
import { Hub } from './hub.js';
import { checkReason, checkRoom, checkUserId, nameOf } from './names.js';
import type { SSEKifyOptions } from './options.js';
import type { SSEKifyStats } from './stats.js';
import type { Task, TaskOptions } from './tasks/types.js';
import type {
  CloseOptions,
  ConnectionId,
  EventData,
  EventName,
  PublishOptions,
  PublishResult,
  RegisteredConnectionHandle,
  RegisterOptions,
  RespondOptions,
  RoomName,
  SendOptions,
  ShutdownOptions,
  UntypedEvents,
  UserId,
} from './types.js';

/**
 * A hub: it holds the connections of this instance and sends events to them by user, by room, or to everyone.
 *
 * `Events` is an optional map from event names to their data, against which every send is checked.
 *
 * @example
 * ```ts
 * const sse = new SSEKify();
 *
 * app.get('/sse', (req, res) => {
 *   sse.registerConnection(req.session.userId, res, { rooms: ['news'] });
 * });
 * sse.sendToUser('ann', { hello: 'you' }, { event: 'notify' });
 * ```
 */
export class SSEKify<Events extends object = UntypedEvents> extends EventEmitter<SSEKifyEventMap<Events>> {
  static {
    // The build shortens names; this one is seen in logs.
    Object.defineProperty(SSEKify, 'name', { value: 'SSEKify' });
  }

  readonly #hub: Hub;

  /**
   * @throws {@link SSEKifyError} `INVALID_OPTION`, naming the option, its value and what is allowed; `INVALID_ROOM`,
   * `INVALID_HEADER`, `NOT_SERIALIZABLE` or `PAYLOAD_TOO_LARGE` for what `connection` and `keepAliveEvent` say;
   * `REDIS_CLIENT_MISSING`
   */
  constructor(options?: SSEKifyOptions) {
    super({ captureRejections: true });
    this.#hub = new Hub(options, {
      hub: this,
      emit: (event, payload) => EventEmitter.prototype.emit.call(this, event, payload),
      listens: (event) => EventEmitter.prototype.listenerCount.call(this, event) > 0,
    });
    // Node calls this when a listener's promise rejects; it is reported as a listener that throws is.
    const value = (error: unknown, event: unknown) => this.#hub.listenerFailed(String(event), error);
    Object.defineProperty(this, EventEmitter.captureRejectionSymbol, { value });
  }

  /**
   * Makes a response a stream of this user: sends head and `retry:`, resends what the client missed, and delivers to it
   * from then on. Call it once per response; do not write to the response yourself.
   *
   * @param res - the raw Node response of HTTP/1.x or HTTP/2 (Koa: `ctx.res`, Fastify: `reply.raw`)
   * @returns the connection's handle. A refused connection has been answered, and its handle does nothing: `refused` says why
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, `INVALID_RESPONSE`, `INVALID_OPTION`, `INVALID_ROOM`, `INVALID_HEADER`,
   * `INVALID_ID`, `NOT_SERIALIZABLE` or `PAYLOAD_TOO_LARGE` (of a `keepAliveEvent`), before anything is sent
   */
  registerConnection(userId: UserId, res: NodeResponse, options?: RegisterOptions): RegisteredConnectionHandle<Events> {
    return this.#hub.register(userId, res, options);
  }

  /**
   * Does what `registerConnection` does for servers that take a Fetch `Request` and give a `Response` (Hono, Next, Remix, Bun,
   * Deno): makes a response whose body is a stream of this user. The client has left when the request's signal aborts or the body is cancelled.
   *
   * @param request - the Fetch request (Hono: `c.req.raw`)
   * @returns the response to give back, also of a connection that was refused
   * @throws {@link SSEKifyError} as {@link SSEKify.registerConnection}
   *
   * @example
   * ```ts
   * app.get('/sse', (c) => sse.respond(c.req.raw, c.get('userId')));
   * ```
   */
  respond(request: Request, userId: UserId, options?: RespondOptions<Events>): Response {
    return this.#hub.respond(request, userId, options);
  }

  /**
   * Sends to a user's connections on this instance, at once, and keeps the event for replay (in lossless mode it does not).
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
    return this.#hub.send(userScope(checkUserId(userId)), data, options);
  }

  /**
   * Sends to every connection of this instance; as {@link SSEKify.sendToUser}.
   *
   * @returns how many connections accepted it; 0 also when the data was refused, which `'error'` tells
   * @throws {@link SSEKifyError} as {@link SSEKify.sendToUser}
   */
  sendToAll<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): number {
    return this.#hub.send(EVERYONE, data, options);
  }

  /**
   * Sends to the connections of this instance that are in a room; as {@link SSEKify.sendToUser}.
   *
   * @returns how many connections accepted it; 0 also when the data was refused, which `'error'` tells
   * @throws {@link SSEKifyError} `INVALID_ROOM`, and as {@link SSEKify.sendToUser}
   */
  sendToRoom<Name extends EventName<Events> = 'message'>(
    room: RoomName,
    data: EventData<Events, Name>,
    options?: SendOptions<Name>,
  ): number {
    return this.#hub.send(roomScope(checkRoom(room)), data, options);
  }

  /**
   * Sends to a user, or with no `userId` to everyone, on every instance of the channel. A `userId` that is empty, null or
   * otherwise unusable rejects: it never becomes a broadcast.
   *
   * It never throws; a failure rejects and is reported by `'error'`, and a rejection that nobody awaits is harmless.
   *
   * @returns the event's id, once the channel took it
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, `INVALID_EVENT`, `INVALID_ID`, `INVALID_RETRY`, `INVALID_TEXT`,
   * `INVALID_OPTION`, `REQUEST_ID_REQUIRED`, `NOT_SERIALIZABLE`, `PAYLOAD_TOO_LARGE`, `STAMP_FAILED`, `SHUTDOWN`;
   * `PUBLISH_REFUSED` and `PUBLISH_UNANSWERED` with `id`, `outcome` and `delivered`: a retry with that `id` is safe (in lossless
   * mode, one with the same `key`)
   *
   * @example
   * ```ts
   * await sse.publish({ text: 'for all' });
   * await sse.publish({ text: 'for Ann' }, 'ann', { event: 'notice' });
   * ```
   */
  publish<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    userId?: undefined,
    options?: PublishOptions<Name>,
  ): Promise<PublishResult>;
  /** Sends to a user on every instance of the channel, and fails as a broadcast does. */
  publish<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    userId: UserId,
    options?: PublishOptions<Name>,
  ): Promise<PublishResult>;
  publish(data: unknown, userId?: UserId, options?: PublishOptions): Promise<PublishResult> {
    return this.#hub.publish(() => scopeFor(userId), data, options);
  }

  /** Sends to a user on every instance of the channel; as {@link SSEKify.publish}, with the user named first. */
  publishToUser<Name extends EventName<Events> = 'message'>(
    userId: UserId,
    data: EventData<Events, Name>,
    options?: PublishOptions<Name>,
  ): Promise<PublishResult> {
    return this.#hub.publish(() => userScope(checkUserId(userId)), data, options);
  }

  /** Sends to everyone on every instance of the channel; fails as {@link SSEKify.publish}. */
  publishToAll<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    options?: PublishOptions<Name>,
  ): Promise<PublishResult> {
    return this.#hub.publish(() => EVERYONE, data, options);
  }

  /** Sends to a room on every instance of the channel; fails as {@link SSEKify.publish}, and with `INVALID_ROOM`. */
  publishToRoom<Name extends EventName<Events> = 'message'>(
    room: RoomName,
    data: EventData<Events, Name>,
    options?: PublishOptions<Name>,
  ): Promise<PublishResult> {
    return this.#hub.publish(() => roomScope(checkRoom(room)), data, options);
  }

  /**
   * Begins a piece of work whose output goes to one user, on whatever instance they are: any number of `progress` events,
   * then one `done` or one `error`, as `{ requestId, phase, event: phase, type?, payload?, error? }`, published in order. Awaited,
   * or by `pipe`, it keeps to the pace of the user's connections on this instance.
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, `INVALID_OPTION`, `INVALID_EVENT`
   *
   * @example
   * ```ts
   * const task = sse.task('alice', { requestId: 'chat-1' });
   * await task.pipe(model.stream(prompt, { signal: task.signal }));
   * ```
   */
  task(userId: UserId, options: TaskOptions): Task {
    return this.#hub.tasks.start(checkUserId(userId), options);
  }

  /**
   * Ends a user's connections on every instance, as after a log-out or for a revoked token. The client's EventSource comes
   * back by itself: answer it with 204 then.
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, `INVALID_OPTION`, and as {@link SSEKify.publish}
   */
  publishClose(userId: UserId, options?: CloseOptions): Promise<void> {
    return this.#hub.command(() => ({ type: 'close', target: checkUserId(userId), reason: checkReason(options) }));
  }

  /** Puts all connections of a user, on every instance, in a room; fails as {@link SSEKify.publishToRoom}. */
  publishJoin(userId: UserId, room: RoomName): Promise<void> {
    return this.#hub.command(() => ({ type: 'join', target: checkUserId(userId), room: checkRoom(room) }));
  }

  /** Takes all connections of a user, on every instance, out of a room; fails as {@link SSEKify.publishToRoom}. */
  publishLeave(userId: UserId, room: RoomName): Promise<void> {
    return this.#hub.command(() => ({ type: 'leave', target: checkUserId(userId), room: checkRoom(room) }));
  }

  /**
   * Resolves when this instance is subscribed to the channel, so that events of others arrive, and can publish; waits for as long
   * as that takes. Resolves at once without `redis`.
   * @throws {@link SSEKifyError} `SHUTDOWN`
   */
  ready(): Promise<void> {
    return this.#hub.ready();
  }

  /**
   * Ends a user's connections on this instance, or without an argument all of them, after the frames they accepted.
   * @returns how many were open
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, also for an `undefined` given by mistake
   */
  close(...user: [] | [userId: UserId]): number {
    return this.#hub.close(user.length === 0 ? undefined : checkUserId(user[0]));
  }

  /**
   * Empties a user's replay buffer, or without an argument all buffers. A client that comes back with an older position gets a gap.
   * @throws {@link SSEKifyError} `INVALID_USER_ID`, also for an `undefined` given by mistake; `UNSUPPORTED` in lossless mode
   */
  clearRecent(...user: [] | [userId: UserId]): void {
    this.#hub.clearRecent(user.length === 0 ? undefined : checkUserId(user[0]));
  }

  /** Refuses new connections from now on; an EventSource comes back later by itself, and may reach another instance. */
  stopAccepting(): void {
    this.#hub.stopAccepting();
  }

  /**
   * Ends everything: announces it, ends the connections evenly over the first half of `graceMs`, each with its own
   * `retry:`, and cuts off after `graceMs` those that do not read. Calling it again gives the same promise.
   * @returns a promise that resolves when all have left
   * @throws {@link SSEKifyError} `INVALID_OPTION`, `INVALID_EVENT`: at once, not by the promise
   *
   * @example
   * ```ts
   * process.once('SIGTERM', async () => {
   *   server.close();
   *   await sse.shutdown();
   * });
   * ```
   */
  shutdown(options?: ShutdownOptions): Promise<void> {
    return this.#hub.shutdown(options);
  }

  /** What this instance holds and has counted. */
  stats(): SSEKifyStats {
    return this.#hub.stats();
  }

  /** How many connections a user has on this instance; 0 for an unusable id. */
  getUserConnectionCount(userId: UserId): number {
    return this.#hub.registry.users.countOf(nameOf(userId) ?? '');
  }

  /** The ids of a user's connections on this instance; none for an unusable id. */
  getUserConnectionIds(userId: UserId): ConnectionId[] {
    const connections = this.#hub.registry.users.of(nameOf(userId) ?? '');
    return [...connections].map(({ connId }) => connId);
  }

  /** Every user of this instance with the number of their connections; the object has no prototype. */
  getAllUsersConnectionStats(): Record<string, number> {
    const counts: Record<string, number> = Object.create(null);
    const { users } = this.#hub.registry;
    for (const userId of users.names()) counts[userId] = users.countOf(userId);
    return counts;
  }

  /** Whether a user has a connection on this instance; `false` for an unusable id. */
  isUserOnline(userId: UserId): boolean {
    return this.getUserConnectionCount(userId) > 0;
  }

  /** The rooms of this instance that have a connection in them. */
  getRooms(): string[] {
    return [...this.#hub.registry.rooms.names()];
  }

  /** How many connections of this instance are in a room; 0 for an unusable name. */
  getRoomConnectionCount(room: RoomName): number {
    return this.#hub.registry.rooms.countOf(nameOf(room) ?? '');
  }
}

/**
 * The channels of `node:diagnostics_channel`, by name, with the messages that their subscribers get. They tell of every hub
 * of the process; `hub` says of which.
 *
 * @example
 * ```ts
 * subscribe('ssekify:drop', (message) => {
 *   const { userId, oldest, newest } = message as SSEKifyDiagnostics['ssekify:drop'];
 *   console.log(`${userId} lost ${oldest + newest} frames`);
 * });
 * ```
 */
export type SSEKifyDiagnostics = DiagnosticsMap<SSEKify>;
