import { hasMethods } from '../checks.js';
import { nextTick } from '../event-loop.js';
import { standsAt } from './bytes.js';
import type { IORedisClient } from './ioredis-client.js';
import type { MessageListener } from './link.js';
import { messageAt, type PushedMessage } from './pushed-message.js';
import { ReplyEnd } from './reply-end.js';

type DataListener = (chunk: unknown) => void;

/** What is taken of a socket here. */
interface DataSource {
  rawListeners(event: 'data'): unknown[];
  on(event: 'data', listener: DataListener): unknown;
  prependListener(event: 'data', listener: DataListener): unknown;
  removeListener(event: 'data', listener: DataListener): unknown;
}

/** A longer message that comes in pieces is left to the client, piece by piece. */
const MAX_HELD_BYTES = 65_536;
const MAX_KNOWN = 16;
const CR = 13;
const LF = 10;
const ZERO = 48;

/** A beginning that the client was seen to read as that of a message of this channel. */
interface Known {
  /** Up to the length of the text. */
  head: Buffer;
  channel: string;
}

/** Listens to the messages of a client that is about to connect, whichever of the two reads them from its connections. */
export function onMessages(client: IORedisClient, listener: MessageListener): void {
  let reader: MessageReader | undefined;
  client.on('connect', () => {
    // The client listens to its socket since a moment ago, and no answer can be there yet.
    reader = MessageReader.takeOver(Reflect.get(client, 'stream'), listener);
  });
  client.on('message', (channel, text) => {
    reader?.heard(String(channel), String(text));
    const bytes = Buffer.from(String(text));
    listener(String(channel), bytes, 0, bytes.length);
  });
}

/**
 * Reads the messages of a subscribed connection of ioredis from the bytes of its socket, in less than half the client's
 * time. The client gets all other replies, and the first message of each kind, so as to see that both read the same in it.
 * From where anything is not as expected, it gets everything.
 */
export class MessageReader {
  readonly #socket: DataSource;
  readonly #parse: DataListener;
  readonly #deliver: MessageListener;
  readonly #known: Known[] = [];
  #last: Known | undefined;
  /** The message that the client is reading, and whether it has read just that. */
  #compared: { message: PushedMessage; equal: boolean } | undefined;
  /** The beginning of a message whose rest is still to come. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 0;
  /** Of the reply that is the client's to read. */
  #passing: ReplyEnd | undefined;
  #aside = false;

  private constructor(socket: DataSource, parse: DataListener, deliver: MessageListener) {
    this.#socket = socket;
    this.#parse = parse;
    this.#deliver = deliver;
    // In its place before the others: to the client's time limit it matters which commands are answered by then.
    socket.prependListener('data', this.#onData);
    socket.removeListener('data', parse);
    // Only what was once added in this way has Node hand chunks over at once, without a detour by its buffer.
    socket.on('data', nothing);
    socket.removeListener('data', nothing);
  }

  /**
   * Takes the client's place at a socket that nothing was read from.
   * @returns `undefined` where the listeners are not those that are expected
   */
  static takeOver(socket: unknown, deliver: MessageListener): MessageReader | undefined {
    if (!isDataSource(socket)) return undefined;
    // The client's own; what it has beside it, for its time limit, is removed by the next chunk.
    const [parse, ...others] = socket.rawListeners('data');
    if (!isListener(parse) || isOnce(parse) || !others.every(isOnce)) return undefined;
    return new MessageReader(socket, parse, deliver);
  }

  /** Tells what the client has read as a message. */
  heard(channel: string, text: string): void {
    const compared = this.#compared;
    if (compared === undefined) return;
    compared.equal = compared.message.channel === channel && compared.message.text === text;
  }

  readonly #onData = (chunk: unknown): void => {
    if (!Buffer.isBuffer(chunk)) {
      this.#stepAside();
      this.#hand(chunk);
      return;
    }
    let rest = chunk;
    while (this.#held.length > 0) {
      const missing = this.#neededBytes - this.#heldBytes;
      if (rest.length < missing) {
        this.#held.push(rest);
        this.#heldBytes += rest.length;
        return;
      }
      const joined = Buffer.concat([...this.#held, rest.subarray(0, missing)]);
      this.#held = [];
      rest = rest.subarray(missing);
      this.#read(joined);
    }
    this.#read(rest);
  };

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#aside) {
        this.#hand(chunk.subarray(at));
        return;
      }
      if (this.#passing !== undefined) at = this.#pass(this.#passing, chunk, at);
      else at = this.#deliverKnown(this.#last, chunk, at) || this.#readOther(chunk, at);
    }
  }

  /** @returns the index behind the message; 0 when there is none that begins so, or not all of it */
  #deliverKnown(known: Known | undefined, chunk: Buffer, at: number): number {
    if (known === undefined || !standsAt(chunk, at, known.head)) return 0;
    let from = at + known.head.length;
    let bytes = 0;
    for (; from < chunk.length; from += 1) {
      const digit = (chunk[from] ?? CR) - ZERO;
      if (digit < 0 || digit > 9) break;
      bytes = bytes * 10 + digit;
    }
    if (chunk[from] !== CR) return 0;
    from += 2;
    const to = from + bytes;
    if (to + 2 > chunk.length || chunk[to] !== CR || chunk[to + 1] !== LF) return 0;
    try {
      this.#deliver(known.channel, chunk, from, to);
    } catch (error) {
      throwLater(error);
    }
    return to + 2;
  }

  /** @returns the index to go on from */
  #readOther(chunk: Buffer, at: number): number {
    for (const known of this.#known) {
      const end = known === this.#last ? 0 : this.#deliverKnown(known, chunk, at);
      if (end === 0) continue;
      this.#last = known;
      return end;
    }
    const message = messageAt(chunk, at);
    if (message !== undefined && 'end' in message) return this.#compare(message, chunk, at);
    if (message === undefined || message.atLeast - at > MAX_HELD_BYTES) {
      this.#passing = new ReplyEnd();
      return at;
    }
    this.#held = [chunk.subarray(at)];
    this.#heldBytes = chunk.length - at;
    this.#neededBytes = message.atLeast - at;
    return chunk.length;
  }

  /** Lets the client deliver a message. When it reads the same in it, the next ones of its kind need not go there. */
  #compare(message: PushedMessage, chunk: Buffer, at: number): number {
    const compared = { message, equal: false };
    this.#compared = compared;
    this.#hand(chunk.subarray(at, message.end));
    this.#compared = undefined;
    if (compared.equal) {
      // A copy, since it would keep the whole chunk.
      this.#last = { head: Buffer.from(message.head), channel: message.channel };
      this.#known.push(this.#last);
      if (this.#known.length > MAX_KNOWN) this.#known.shift();
    } else {
      this.#stepAside();
    }
    return message.end;
  }

  /** Hands over what there is of a reply. */
  #pass(reply: ReplyEnd, chunk: Buffer, at: number): number {
    const end = reply.find(chunk, at);
    if (end < 0) {
      this.#stepAside();
      return at;
    }
    if (reply.reached) this.#passing = undefined;
    this.#hand(chunk.subarray(at, end));
    return end;
  }

  #hand(chunk: unknown): void {
    try {
      Reflect.apply(this.#parse, this.#socket, [chunk]);
    } catch (error) {
      throwLater(error);
    }
  }

  /** Gives the socket back to the client, for good. */
  #stepAside(): void {
    this.#aside = true;
    for (const chunk of this.#held.splice(0)) this.#hand(chunk);
    // It may have no listener there any more, since it gave the connection up.
    if (!this.#socket.rawListeners('data').includes(this.#onData)) return;
    this.#socket.prependListener('data', this.#parse);
    this.#socket.removeListener('data', this.#onData);
  }
}

const nothing = () => undefined;

/** What a listener throws must keep neither the next message nor the bytes' count from being right. */
function throwLater(error: unknown): void {
  nextTick(() => {
    throw error;
  });
}

const isDataSource = (value: unknown): value is DataSource =>
  hasMethods(value, ['rawListeners', 'on', 'prependListener', 'removeListener']);

const isListener = (value: unknown): value is DataListener => typeof value === 'function';

/** Whether it was added by `once`, which wraps it. */
const isOnce = (value: unknown) => isListener(value) && typeof Reflect.get(value, 'listener') === 'function';
