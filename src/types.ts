/** A user's id: a non-empty string, or a finite number that is taken as its decimal text (`42` and `'42'` are one user). */
export type UserId = string | number;

/** A room's name: a non-empty string, or a finite number that is taken as its decimal text. */
export type RoomName = string | number;

/** The id of one connection, unique across instances; `''` on the handle of a refused one. */
export type ConnectionId = string;

/** The event map of an untyped hub: any event name, any data. */
export interface UntypedEvents {
  [event: string]: unknown;
}

/** The event names a hub with the event map `Events` may send; `'message'` is what an event without a name is called. */
export type EventName<Events extends object> = (keyof Events & string) | 'message';

/** The data that belongs to the event `Name` in the map `Events`. */
export type EventData<Events extends object, Name extends string> = DataIn<
  { [Each in keyof Events]: Events[Each] },
  Name
>;

// Given a mapped type, the compiler compares hubs by their members and not by their maps: that is what lets a hub with a
// map stand where one without is expected.
type DataIn<Events, Name> = Name extends keyof Events ? Events[Name] : unknown;

declare const eventMap: unique symbol;

// A mapped type again: of a condition on the map, TypeScript 7 would ask that two maps are the same.
/** What tells hubs with different maps apart; every map is one of those that an untyped hub may have. */
type EventMapOf<Events extends object> = {
  [Each in keyof Events as string extends Each ? never : Each]: Events[Each];
};

/** Options of one send. */
export interface SendOptions<Name extends string = string> {
  /**
   * The event's name, which a browser hears with `addEventListener(name, …)`. Without one it is a `message`. No CR, LF
   * or NUL.
   */
  event?: Name | undefined;
  /**
   * The event's id, for replay. Default: an automatic one. A finite number is taken as its decimal text, and `''`
   * resets the client's last id, as the HTML standard says. At most 1024 UTF-8 bytes, no control characters, no
   * white space at its edges. Refused in lossless mode, where the log gives the ids.
   */
  id?: string | number | undefined;
  /** Tells the client how long to wait before it reconnects, in milliseconds; an integer from 0 to 2^31-1. */
  retry?: number | undefined;
  /** Send `data`, which must then be a string, as it is and not as JSON. Default `false`. */
  text?: boolean | undefined;
}

/** Options of one publish. */
export interface PublishOptions<Name extends string = string> extends SendOptions<Name> {
  /**
   * In lossless mode: makes a retry safe. Of all publishes with the same key within `windowMs` the first is appended, and
   * each resolves with its id. A non-empty string of at most 1024 UTF-8 bytes. Default none.
   */
  key?: string | undefined;
}

/** When a connection that is behind must lose something: its oldest queued frame, the new one, or the connection. */
export type DropPolicy = 'oldest' | 'newest' | 'disconnect';

/** A value of a response header; `undefined` removes a default header. */
export type HeaderValue = string | number | readonly string[] | undefined;

/** A heartbeat sent as an event, for clients that cannot see comments. */
export interface KeepAliveEvent {
  /** The event's name. */
  event: string;
  /** The event's data; serialized once. */
  data: unknown;
}

/** Options of connections; the hub option `connection` sets their defaults. */
export interface ConnectionOptions {
  /** Rooms to join at once. Duplicates are ignored. Default none. */
  rooms?: readonly RoomName[] | undefined;
  /**
   * Headers to add to the response, or, compared case-insensitively, to replace; `undefined` removes a default. The
   * framing headers (`Content-Length`, `Transfer-Encoding`, `Connection`) are ignored.
   */
  headers?: Readonly<Record<string, HeaderValue>> | undefined;
  /** Milliseconds between heartbeats; `0` sends none. Default: the hub's `keepAliveMs`. */
  keepAliveMs?: number | undefined;
  /** Send heartbeats as this event and not as a comment. Default: the hub's `keepAliveEvent`. */
  keepAliveEvent?: KeepAliveEvent | undefined;
  /** The `retry:` sent first, in milliseconds. Default: the hub's `retryMs`. */
  retryMs?: number | undefined;
  /**
   * Frames kept for a client that is stalled; over it the drop policy acts.
   * @defaultValue 100
   */
  maxQueueItems?: number | undefined;
  /**
   * UTF-8 bytes kept for a client that is stalled; over it the drop policy acts.
   * @defaultValue 262144 (256 KiB)
   */
  maxQueueBytes?: number | undefined;
  /**
   * What happens over a queue limit: `'oldest'` drops queued frames from the front, `'newest'` refuses the new frame,
   * `'disconnect'` closes the connection so that the client comes back and is replayed to. Lossless mode drops nothing that was
   * published: there only `'disconnect'` counts.
   * @defaultValue 'oldest'
   */
  dropPolicy?: DropPolicy | undefined;
  /** Milliseconds after which the connection is ended; up to 10 % shorter at random. Default: it lives on. */
  maxLifetimeMs?: number | undefined;
  /**
   * Milliseconds in which a client's socket may take no byte while data waits; then it is disconnected. `0` = never.
   * @defaultValue 300000 (5 minutes)
   */
  stallTimeoutMs?: number | undefined;
}

/** Options of one `registerConnection` call. */
export interface RegisterOptions extends ConnectionOptions {
  /** The position to replay from, instead of what the request says; `''` is no position. */
  lastEventId?: string | number | undefined;
  /** Closes the connection, with reason `'aborted'`, when it aborts. */
  signal?: AbortSignal | undefined;
}

/** Options of one `respond` call. */
export interface RespondOptions<Events extends object = UntypedEvents> extends RegisterOptions {
  /**
   * Called with the connection before `respond` returns; with an inert one when it was refused. If it throws, the connection
   * ends, and `respond` throws the same.
   */
  connected?: ((handle: RegisteredConnectionHandle<Events>) => void) | undefined;
}

/**
 * Why a connection was refused: over `maxConnections`, over `maxConnectionsPerUser`, after `stopAccepting` or `shutdown`, the
 * client had left, the answer has no body (to a `HEAD`, for example), or the response is a stream already.
 */
export type RefusalReason = 'limit' | 'user-limit' | 'draining' | 'gone' | 'head' | 'duplicate';

/**
 * Why a connection ended: the client left, this server closed it, the queue of a slow client was full, `stallTimeoutMs`,
 * `maxLifetimeMs`, its `signal`, `shutdown`, or the response failed.
 */
export type DisconnectReason =
  | 'client'
  | 'server'
  | 'backpressure'
  | 'stalled'
  | 'lifetime'
  | 'aborted'
  | 'shutdown'
  | 'error';

/** Why a client could not be given all it missed. */
export type GapReason = 'unknown' | 'evicted' | 'dropped' | 'reset';

/** The data of the gap event (`server:gap`). The application answers it by fetching its state again. */
export interface Gap {
  /** The last id the client had before the gap; `''` when it had none. */
  lastEventId: string;
  /**
   * `'unknown'`: the id is not known here. `'evicted'`: events after it are no longer kept. `'dropped'`: the client was
   * too slow. `'reset'`: the log behind the hub began anew.
   */
  reason: GapReason;
}

/** An array, a generator, a stream. */
export type Items<Item = unknown> = AsyncIterable<Item> | Iterable<Item> | ReadableStream<Item>;

/** Options of {@link RegisteredConnectionHandle.pipe}. */
export type PipeOptions<Name extends string = string> = Pick<SendOptions<Name>, 'event' | 'text'>;

/** Options of {@link RegisteredConnectionHandle.join}. */
export interface JoinOptions {
  /**
   * Resend what the room said after the position the connection registered with; without a position, nothing.
   * @defaultValue false
   */
  replay?: boolean | undefined;
}

/** A connection, as `registerConnection` gives it. */
export interface RegisteredConnectionHandle<Events extends object = UntypedEvents> {
  /** For the compiler alone, and never there: the map of events. */
  readonly [eventMap]?: EventMapOf<Events>;
  /** Unique id; `''` when refused. */
  readonly connId: ConnectionId;
  /** The user it belongs to, as text. */
  readonly userId: string;
  /** The rooms it is in now. */
  readonly rooms: readonly string[];
  /** The position the client asked to resume from; `undefined` when it gave none. */
  readonly lastEventId: string | undefined;
  /** Whether it has ended, or was refused. */
  readonly closed: boolean;
  /** Why it was refused; `undefined` when it was not. */
  readonly refused: RefusalReason | undefined;
  /** Ends the connection after the frames it already accepted. Calling it again does nothing. */
  close(): void;
  /**
   * Puts the connection in a room.
   * @returns whether that changed anything
   * @throws {@link SSEKifyError} `INVALID_ROOM`, `INVALID_OPTION`
   */
  join(room: RoomName, options?: JoinOptions): boolean;
  /**
   * Takes the connection out of a room.
   * @returns whether that changed anything
   * @throws {@link SSEKifyError} `INVALID_ROOM`
   */
  leave(room: RoomName): boolean;
  /**
   * Sends to this connection alone, live: not recorded for replay, and without an automatic id.
   * @returns whether the connection accepted it
   * @throws {@link SSEKifyError} `INVALID_EVENT`, `INVALID_ID`, `INVALID_RETRY`, `INVALID_TEXT`, `INVALID_OPTION`,
   * `REQUEST_ID_REQUIRED`
   */
  send<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    options?: SendOptions<Name> | undefined,
  ): boolean;
  /**
   * Sends each item to this connection alone, as `send` does, at the client's pace. Stops when the connection ends, and closes
   * the iterable in any case.
   * @returns how many items the connection accepted
   * @throws what the iterable throws; {@link SSEKifyError} `INVALID_OPTION`, also for what is no iterable, and as `send`
   *
   * @example
   * ```ts
   * await handle.pipe(tokens, { event: 'token' });
   * ```
   */
  pipe<Name extends EventName<Events> = 'message'>(
    items: Items<EventData<Events, Name>>,
    options?: PipeOptions<Name> | undefined,
  ): Promise<number>;
  /**
   * Sends a comment, which no event listener sees; each of its lines becomes a comment line. A client that is behind gets none.
   * @returns whether the connection accepted it
   * @throws {@link SSEKifyError} `INVALID_TEXT`
   */
  comment(text: string): boolean;
}

/** What `publish*` resolves with. */
export interface PublishResult {
  /** The event's id, with which a retry is safe; `undefined` when the event has none. */
  id: string | undefined;
}

/** Where an event goes. */
export type ScopeKind = 'user' | 'room' | 'all';

/** Whom an event is for. */
export type Scope = { kind: 'user' | 'room'; name: string } | { kind: 'all'; name?: undefined };

/** Payload of `'connect'`. */
export interface ConnectInfo<Events extends object = UntypedEvents> {
  userId: string;
  connId: ConnectionId;
  handle: RegisteredConnectionHandle<Events>;
}

/** Payload of `'disconnect'`. */
export interface DisconnectInfo {
  userId: string;
  connId: ConnectionId;
  reason: DisconnectReason;
  /** How long the connection lived, in milliseconds. */
  durationMs: number;
}

/** Payload of `'gap'`. */
export interface GapInfo extends Gap {
  userId: string;
  connId: ConnectionId;
}

/** Payload of `'message-sent'`: an event was given to `count` connections of this instance. */
export interface MessageSentInfo {
  scope: ScopeKind;
  /** Present when `scope` is `'user'`. */
  userId?: string | undefined;
  /** Present when `scope` is `'room'`. */
  room?: string | undefined;
  count: number;
}

/** Payload of `'room-created'` and `'room-removed'`. */
export interface RoomInfo {
  room: string;
}

/** Options of `publishClose`. */
export interface CloseOptions {
  /** Told to the client before its connection ends, as `{ reason }` in an event named `server:close`. Default: no event. */
  reason?: string | undefined;
}

/** Options of `shutdown`. */
export interface ShutdownOptions {
  /**
   * Whether to send the announcement first.
   * @defaultValue true
   */
  announce?: boolean | undefined;
  /**
   * Event name of the announcement; its data is `{ code: 'SHUTDOWN', at }`, `at` in epoch milliseconds.
   * @defaultValue 'server:shutdown'
   */
  event?: string | undefined;
  /**
   * Milliseconds until clients that do not read are cut off; the others are ended evenly over its first half.
   * @defaultValue 5000
   */
  graceMs?: number | undefined;
}
