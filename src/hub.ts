import { refuse } from './checks.js';
import type { Bus } from './cluster/bus.js';
import { NO_BUS } from './cluster/bus-stats.js';
import { eventOf } from './cluster/canonical.js';
import { type Command, envelopeOf } from './cluster/envelope.js';
import { foreignNumbers } from './cluster/foreign-numbers.js';
import type { LogBus } from './cluster/log/log-bus.js';
import { NO_LOG } from './cluster/log/log-stats.js';
import { takeKey } from './cluster/log/publish-key.js';
import { type LogSource, logSourceOf, RedisStreamAdapter } from './cluster/log/redis-stream.js';
import type { Publisher } from './cluster/publisher.js';
import { Clock } from './delivery/clock.js';
import { Delivery } from './delivery/delivery.js';
import { sayFarewell } from './delivery/farewell.js';
import { ConnectionHandle, RefusedHandle } from './delivery/handle.js';
import { Heartbeats } from './delivery/heartbeat.js';
import type { History } from './delivery/history.js';
import { RecentHistory } from './delivery/recent-history.js';
import { Reception } from './delivery/reception.js';
import { userScope } from './delivery/scope.js';
import type { Exchange } from './delivery/sinks/exchange.js';
import { NodeExchange } from './delivery/sinks/node-exchange.js';
import { checkResponse } from './delivery/sinks/response.js';
import { checkRequest, WebExchange } from './delivery/sinks/web-exchange.js';
import { asError, refusesData, SSEKifyError, show, shutDown } from './errors.js';
import { EventIds } from './event-ids.js';
import { queueMicrotask } from './event-loop.js';
import { type Emitter, Reporter } from './events.js';
import { Intake } from './intake.js';
import { Lossless } from './lossless.js';
import { checkUserId } from './names.js';
import {
  type HubSettings,
  isAlone,
  type Registration,
  readHubOptions,
  readShutdownOptions,
  registrationReader,
  saferRoomOptions,
  takeConnected,
} from './options.js';
import { openPubSub } from './pub-sub.js';
import { harmless, promised, within } from './settling.js';
import { createInstanceId, type NewId } from './stamp/ids.js';
import { NO_WISH, readSendOptions, Stamper, type Wish } from './stamp/stamper.js';
import { Counters, type SSEKifyStats } from './stats.js';
import { settleStringMethods } from './string-methods.js';
import { Tasks } from './tasks/tasks.js';
import type {
  PublishOptions,
  PublishResult,
  RegisteredConnectionHandle,
  RespondOptions,
  Scope,
  SendOptions,
} from './types.js';
import { encodeEvent, type Frame } from './wire/frame.js';

/** Puts the steps of the flow behind one another; the class that users see only gives them their names. */
export class Hub {
  readonly #counters = new Counters();
  readonly #reporter: Reporter;
  readonly #clock = new Clock();
  readonly #instanceId = createInstanceId();
  readonly #ids: EventIds;
  readonly #stamper: Stamper;
  readonly #delivery: Delivery;
  readonly #intake: Intake;
  readonly tasks: Tasks;
  readonly #reception: Reception;
  readonly #readRegistration: (options: unknown) => Registration;
  readonly #bus: Bus | undefined;
  readonly #publisher: Publisher | undefined;
  #lossless: Lossless | undefined;
  #farewell: Promise<void> | undefined;
  #over = false;

  constructor(options: unknown, emitter: Emitter) {
    const settings = readHubOptions(options);
    const source = settings.redis instanceof RedisStreamAdapter ? logSourceOf(settings.redis) : undefined;
    // The log gives events their ids.
    if (source !== undefined) settings.seq.frameIdPolicy = 'none';
    this.#readRegistration = registrationReader(settings);
    this.#reporter = new Reporter(emitter, this.#counters);
    // Later: the function is asked while an event is on its way, which what a listener of 'error' sends must not overtake.
    const tellLater = (error: SSEKifyError) => queueMicrotask(() => this.#reporter.error(error));
    settings.roomOptions = saferRoomOptions(settings.roomOptions, tellLater);
    this.#stamper = new Stamper(settings, this.#instanceId, () => this.#clock.now());
    this.#ids = new EventIds({
      source: source === undefined ? (isAlone(settings) ? 'alone' : 'channel') : 'log',
      instanceId: this.#instanceId,
      frameIdPolicy: settings.seq.frameIdPolicy,
      newId: (now) => this.#stamper.newId(now),
      order: () => this.#delivery.order,
    });
    const heartbeats = new Heartbeats(({ event, data }) => encodeEvent(this.#stamper.plain(data, event), 0));
    this.#delivery = new Delivery({
      clock: this.#clock,
      counters: this.#counters,
      reporter: this.#reporter,
      gapEvent: settings.gapEvent,
      instanceId: this.#instanceId,
      cursorMs: source === undefined ? undefined : source.settings.windowMs / 4,
      heartbeat: (connectionSettings) => heartbeats.of(connectionSettings),
      history: (delivery) => this.#openHistory(settings, source, delivery),
      roomSettings: settings.roomOptions,
      left: (userId) => this.tasks.left(userId),
    });
    this.#intake = new Intake({
      ids: this.#ids,
      delivery: this.#delivery,
      reporter: this.#reporter,
      seeNumber: foreignNumbers(this.#stamper, settings.enableSeq, settings.seq.fieldName),
    });
    this.tasks = new Tasks({
      clock: this.#clock,
      shared: settings.redis !== undefined,
      isHere: (userId) => this.registry.users.countOf(userId) > 0,
      keyed: this.#lossless !== undefined,
      roomFor: (userId, signal) => this.#delivery.roomIn(this.registry.users.get(userId), signal),
      publish: (userId, data, event, key) => {
        const wish = { ...NO_WISH, event, paced: data.phase === 'progress' };
        return this.#settling(() => this.#publish(userScope(userId), data, wish, key));
      },
    });
    this.#reception = new Reception(this.#delivery, this.#counters, settings);
    heartbeats.of(this.#readRegistration(undefined).settings);
    const publishing = openPubSub(settings, {
      host: this.#intake,
      delivery: this.#delivery,
      stamper: this.#stamper,
      counters: this.#counters,
      clock: this.#clock,
      instanceId: this.#instanceId,
    });
    // What speaks to Redis is loaded by now.
    settleStringMethods();
    this.#bus = publishing?.bus;
    this.#publisher = publishing?.publisher;
  }

  get registry() {
    return this.#delivery.registry;
  }

  register<Events extends object>(userId: unknown, res: unknown, options: unknown): RegisteredConnectionHandle<Events> {
    const user = checkUserId(userId);
    const exchange = new NodeExchange(checkResponse(res));
    return this.#receive<Events>(user, exchange, this.#readRegistration(options));
  }

  respond<Events extends object>(
    request: unknown,
    userId: unknown,
    options: RespondOptions<Events> | undefined,
  ): Response {
    const user = checkUserId(userId);
    const exchange = new WebExchange(checkRequest(request));
    const { connected, rest } = takeConnected(options);
    const handle = this.#receive<Events>(user, exchange, this.#readRegistration(rest));
    try {
      connected?.(handle);
    } catch (error) {
      exchange.abandon();
      throw error;
    }
    return exchange.response;
  }

  #receive<Events extends object>(user: string, exchange: Exchange, registration: Registration) {
    const { connection, lastEventId, refused, tell } = this.#reception.receive(user, exchange, registration);
    if (refused !== undefined) {
      this.#counters.refused[refused] += 1;
      return new RefusedHandle<Events>(user, lastEventId, refused);
    }
    const encode = (data: unknown, wish: SendOptions | undefined) => this.#encode(data, this.#liveWish(wish, data));
    this.tasks.came(user);
    const handle = new ConnectionHandle<Events>(connection, this.#delivery, encode, lastEventId);
    this.#reporter.tell('connect', () => ({ userId: user, connId: connection.connId, handle }));
    tell();
    return handle;
  }

  /** Sends on this instance. */
  send(scope: Scope, data: unknown, options: SendOptions | undefined): number {
    const wish = this.#liveWish(options, data);
    if (this.#over) return 0;
    const frame = this.#encode(data, wish, this.#ids.newLocalId);
    return frame === undefined ? 0 : this.#intake.give(scope, frame);
  }

  /** Sends on every instance. `scopeOf` may throw; nothing else of it does. */
  publish(scopeOf: () => Scope, data: unknown, options: PublishOptions | undefined): Promise<PublishResult> {
    return this.#settling(() => {
      const scope = scopeOf();
      const { key, rest } = takeKey(options);
      const wish = this.#liveWish(rest, data);
      if (this.#lossless === undefined && key !== undefined) {
        refuse('options.key', key, 'none, since only lossless mode (createRedisStreamAdapter) knows keys');
      }
      return this.#publish(scope, data, wish, key);
    });
  }

  #publish(scope: Scope, data: unknown, wish: Wish, key: string | undefined): Promise<PublishResult> {
    if (this.#over) throw shutDown('publish');
    if (this.#lossless !== undefined) return this.#lossless.publisher.publish(scope, data, wish, key);
    if (this.#publisher !== undefined) return this.#publisher.publish(scope, data, wish);
    const event = this.#stamper.stamp(data, wish, this.#ids.newLocalId);
    const origin = this.#instanceId;
    this.#intake.give(scope, this.#intake.frameOf(event));
    // Only now: what a listener publishes comes after it.
    this.#reporter.tell('publish', () => envelopeOf(scope, event, { v: 1, at: Date.now(), origin }));
    return Promise.resolve({ id: event.id });
  }

  /** Does something with a user's connections on every instance. */
  command(commandOf: () => Command): Promise<void> {
    const done = this.#settling<unknown>(() => {
      const command = commandOf();
      if (this.#over) throw shutDown('publish');
      const publisher = this.#publisher ?? this.#lossless?.publisher;
      if (publisher !== undefined) return publisher.command(command);
      this.#intake.obey(command);
      return Promise.resolve();
    });
    return harmless(done.then(() => undefined));
  }

  ready(): Promise<void> {
    if (this.#farewell !== undefined) return harmless(Promise.reject(shutDown('ready()')));
    return harmless(this.#channel?.ready() ?? Promise.resolve());
  }

  /** @param userId - absent for all */
  close(userId: string | undefined): number {
    const leaving = userId === undefined ? this.registry.all : this.registry.users.of(userId);
    const connections = [...leaving];
    for (const connection of connections) connection.close('server');
    return connections.length;
  }

  /** @param userId - absent for all */
  clearRecent(userId: string | undefined): void {
    this.#delivery.history.clear(userId === undefined ? undefined : userScope(userId));
  }

  stopAccepting(): void {
    this.#delivery.draining = true;
  }

  shutdown(options: unknown): Promise<void> {
    if (this.#farewell !== undefined) return this.#farewell;
    const { announce, event, graceMs } = readShutdownOptions(options);
    // First of all: a listener that hears of a client's end may call `shutdown` again.
    let endWith: (end: Promise<void>) => void = () => undefined;
    this.#farewell = new Promise((resolve) => {
      endWith = resolve;
    });
    this.stopAccepting();
    this.tasks.leave();
    if (announce) {
      const text = JSON.stringify({ code: 'SHUTDOWN', at: Date.now() });
      this.#delivery.tellLast([...this.registry.all], encodeEvent({ event, text }, 0));
    }
    endWith(this.#end(graceMs));
    return this.#farewell;
  }

  async #end(graceMs: number): Promise<void> {
    const startedAt = this.#clock.now();
    const left = () => Math.max(0, graceMs - (this.#clock.now() - startedAt));
    // What the channel took has yet to come back from it.
    await sayFarewell(this.#delivery, graceMs, () => (this.#bus?.stats().pending ?? 0) > 0);
    // What was published at the word of the last client that left is among it.
    await within(left(), (this.#bus ?? this.#lossless?.publisher)?.settled());
    this.#over = true;
    this.tasks.end();
    await within(left(), this.#channel?.close());
    this.#clock.stop();
  }

  stats(): SSEKifyStats {
    const seqIncrsLocal = this.#counters.seqIncrsLocal + this.#stamper.seqIncrs;
    return {
      ...this.#delivery.size,
      ...this.#counters.shown(),
      seqIncrsLocal,
      draining: this.#delivery.draining,
      bus: this.#channel?.stats() ?? { ...NO_BUS },
      log: this.#lossless?.stats() ?? { ...NO_LOG },
    };
  }

  listenerFailed(event: string, cause: unknown): void {
    this.#reporter.listenerFailed(event, cause);
  }

  get #channel(): Bus | LogBus | undefined {
    return this.#bus ?? this.#lossless?.bus;
  }

  /** The checked options of an event that is to go out; in lossless mode nobody but the log gives ids. */
  #liveWish(options: SendOptions | undefined, data: unknown): Wish {
    const wish = readSendOptions(options, data);
    if (wish.id === undefined || this.#lossless === undefined) return wish;
    throw new SSEKifyError(
      'INVALID_ID',
      `options.id is ${show(wish.id)}: in lossless mode the log gives events their ids.`,
    );
  }

  #openHistory(settings: HubSettings, source: LogSource | undefined, delivery: Delivery): History {
    const common = { settings, delivery, counters: this.#counters, instanceId: this.#instanceId };
    if (source === undefined) {
      const positionId = () => this.#ids.newPositionId();
      const restore = (kept: string, order: number) => encodeEvent({ ...eventOf(kept), unique: true }, order, true);
      return new RecentHistory({ ...common, known: this.#ids.places, positionId, restore });
    }
    this.#lossless = new Lossless({
      ...common,
      source,
      stamper: this.#stamper,
      take: (received, message) => this.#intake.take(received, message),
      error: (error) => this.#reporter.error(error),
    });
    return this.#lossless.feed;
  }

  /** Stamps and encodes for this instance; data that is refused is reported. */
  #encode(data: unknown, wish: Wish, newId?: NewId): Frame | undefined {
    try {
      const event = this.#stamper.stamp(data, wish, newId);
      // What only one connection gets gives its id no place.
      return newId === undefined ? encodeEvent(event, this.#delivery.nextOrder()) : this.#intake.frameOf(event);
    } catch (error) {
      const refusal = asError(error);
      // `sendTo*` reports it and does not throw.
      if (!refusesData(refusal)) throw refusal;
      this.#reporter.error(refusal);
      return undefined;
    }
  }

  /** Every rejection is reported and may be left unawaited. */
  #settling<Value>(run: () => Promise<Value>): Promise<Value> {
    const running = promised(run);
    running.catch((error: unknown) => this.#reporter.error(asError(error)));
    return running;
  }
}
