import { SSEKifyError } from '../errors.js';
import type { ConnectionSettings } from '../options.js';
import type { KeepAliveEvent } from '../types.js';
import { encodeComment, type Frame } from '../wire/frame.js';

const PING = encodeComment('ping');

/** Gives each connection's heartbeat, encoded once for all connections with the same settings. */
export class Heartbeats {
  readonly #encode: (event: KeepAliveEvent) => Frame;
  readonly #frames = new WeakMap<KeepAliveEvent, Frame>();

  constructor(encode: (event: KeepAliveEvent) => Frame) {
    this.#encode = encode;
  }

  of({ keepAliveEvent }: ConnectionSettings): Frame {
    if (keepAliveEvent === undefined) return PING;
    let frame = this.#frames.get(keepAliveEvent);
    if (frame === undefined) {
      frame = this.#encodeNamed(keepAliveEvent);
      this.#frames.set(keepAliveEvent, frame);
    }
    return frame;
  }

  /** A refusal says whose data it was. */
  #encodeNamed(keepAliveEvent: KeepAliveEvent): Frame {
    try {
      return this.#encode(keepAliveEvent);
    } catch (cause) {
      if (!(cause instanceof SSEKifyError)) throw cause;
      throw new SSEKifyError(cause.code, `keepAliveEvent.data: ${cause.message}`, { cause });
    }
  }
}
