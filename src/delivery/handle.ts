import { flag, readOptions } from '../checks.js';
import { SSEKifyError, show } from '../errors.js';
import { checkRoom } from '../names.js';
import { checkItems, pump } from '../pump.js';
import type {
  EventData,
  EventName,
  Items,
  JoinOptions,
  PipeOptions,
  RefusalReason,
  RegisteredConnectionHandle,
  RoomName,
  SendOptions,
} from '../types.js';
import { checkEvent } from '../wire/fields.js';
import { encodeComment, type Frame } from '../wire/frame.js';
import type { Connection } from './connection.js';
import type { Delivery } from './delivery.js';
import { relieved } from './relief.js';

/** Makes the frame of an event that goes to one connection; `undefined` when its data was refused and reported. */
export type LiveEncoder = (data: unknown, options: SendOptions | undefined) => Frame | undefined;

const joinSchema = { replay: flag(false) };
const pipeSchema = {
  event: (value: unknown) => (value === undefined ? undefined : checkEvent(value)),
  text: flag(false),
};

/** One connection, as the application sees it. */
export class ConnectionHandle<Events extends object> implements RegisteredConnectionHandle<Events> {
  readonly #connection: Connection;
  readonly #delivery: Delivery;
  readonly #encode: LiveEncoder;
  readonly lastEventId: string | undefined;

  constructor(connection: Connection, delivery: Delivery, encode: LiveEncoder, lastEventId: string | undefined) {
    this.#connection = connection;
    this.#delivery = delivery;
    this.#encode = encode;
    this.lastEventId = lastEventId;
  }

  get connId(): string {
    return this.#connection.connId;
  }

  get userId(): string {
    return this.#connection.userId;
  }

  get rooms(): readonly string[] {
    return [...(this.#connection.rooms ?? [])];
  }

  get closed(): boolean {
    return !this.#connection.open;
  }

  get refused(): undefined {
    return undefined;
  }

  close(): void {
    this.#connection.close('server');
  }

  join(room: RoomName, options?: JoinOptions): boolean {
    const { replay } = readOptions(joinSchema, options, 'options');
    return this.#delivery.join(this.#connection, checkRoom(room), this.lastEventId, replay);
  }

  leave(room: RoomName): boolean {
    return this.#delivery.leave(this.#connection, checkRoom(room));
  }

  send<Name extends EventName<Events> = 'message'>(
    data: EventData<Events, Name>,
    options?: SendOptions<Name> | undefined,
  ): boolean {
    if (!this.#connection.open) return false;
    const frame = this.#encode(data, options);
    return frame !== undefined && this.#delivery.fanOut([this.#connection], frame) === 1;
  }

  async pipe<Name extends EventName<Events> = 'message'>(
    items: Items,
    options?: PipeOptions<Name> | undefined,
  ): Promise<number> {
    checkItems(items);
    const { event, text } = readOptions(pipeSchema, options, 'options');
    const connection = this.#connection;
    const over = new AbortController();
    const untilGone = async () => {
      while (connection.open && !over.signal.aborted) await relieved(connection, over.signal);
      over.abort();
    };
    untilGone();
    const untilRoom = async () => {
      while (connection.crowded && !over.signal.aborted) await relieved(connection, over.signal);
    };
    let sent = 0;
    try {
      await pump(items, over.signal, (item) => {
        const frame = connection.open ? this.#encode(item, { event, text }) : undefined;
        if (frame !== undefined && this.#delivery.fanOut([connection], frame) === 1) sent += 1;
        return connection.crowded ? untilRoom() : undefined;
      });
    } finally {
      over.abort();
    }
    return sent;
  }

  comment(text: string): boolean {
    if (typeof text !== 'string') {
      throw new SSEKifyError('INVALID_TEXT', `a comment is ${show(text)}: expected a string.`);
    }
    const frame = encodeComment(text);
    // In the queue it would take the place of an event, and its own loss would be told as one of events.
    return !this.#connection.behind && this.#delivery.fanOut([this.#connection], frame) === 1;
  }
}

/** What the application gets for a connection that was refused: everything is allowed, nothing happens. */
export class RefusedHandle<Events extends object> implements RegisteredConnectionHandle<Events> {
  readonly connId = '';
  readonly rooms: readonly string[] = [];
  readonly closed = true;
  readonly userId: string;
  readonly lastEventId: string | undefined;
  readonly refused: RefusalReason;

  constructor(userId: string, lastEventId: string | undefined, refused: RefusalReason) {
    this.userId = userId;
    this.lastEventId = lastEventId;
    this.refused = refused;
  }

  close(): void {}

  join(room: RoomName): boolean {
    checkRoom(room);
    return false;
  }

  leave(room: RoomName): boolean {
    checkRoom(room);
    return false;
  }

  send(): boolean {
    return false;
  }

  /** The iterable is closed, as when a client leaves. */
  async pipe(items: Items): Promise<number> {
    checkItems(items);
    await pump(items, AbortSignal.abort(), () => undefined);
    return 0;
  }

  comment(): boolean {
    return false;
  }
}
