import { setImmediate } from '../event-loop.js';
import type { ConnectionSettings } from '../options.js';
import type { ConnectionId, DisconnectReason } from '../types.js';
import { encodeRetry, Frame } from '../wire/frame.js';
import { onceAborted } from './abort.js';
import { Arrears } from './arrears.js';
import type { Backlog } from './backlog.js';
import { Burst, framesOf } from './burst.js';
import { Chunk, lastId } from './chunk.js';
import type { Wakeable } from './clock.js';
import type { ConnectionHost } from './connection-host.js';
import type { Encoder, Flushable } from './flusher.js';
import { jitteredLifetime } from './jitter.js';
import { Progress } from './progress.js';
import type { PushOutcome, QueueLimits } from './queue.js';
import type { BufferHolder, RecentBuffer } from './recent-buffer.js';
import { relieve } from './relief.js';
import type { ServedRooms } from './served-rooms.js';
import type { Sink, SinkOwner } from './sinks/sink.js';

const NEVER = Number.POSITIVE_INFINITY;

/** One client: its place in the stream, what waits for it, and its end. */
export class Connection implements BufferHolder, Flushable, Wakeable, SinkOwner {
  // First what each frame needs, side by side in memory.
  dirty = false;
  /** Frames of this tick for a client that keeps up. */
  #fresh: Frame | Burst | undefined;
  #state: 'open' | 'ending' | 'ended' = 'open';
  #backlog: Backlog | undefined;
  /** A write was answered `false`, and the drain has not come. */
  #stalled = false;
  /** It stalled, and has not caught up with what it accepted: only then do the limits hold. */
  #behind = false;
  #pingDue = false;
  /** What waits for a client that is behind. */
  #arrears: Arrears | undefined;
  #sink: Sink | undefined;
  /** The last id written to the client. */
  #sentId: string;
  /** Order of the newest frame with an id that it accepted. */
  #cursor = 0;
  readonly #host: ConnectionHost;
  /** What is kept of its user's events; the history keeps it at hand here. */
  recent: RecentBuffer | undefined;

  readonly userId: string;
  readonly settings: ConnectionSettings;
  /** Names of the rooms it is in; made with the first. The registry keeps it. */
  rooms: Set<string> | undefined;
  /** On the clock's time. */
  readonly connectedAt: number;
  /** The place in the send order it resumed from; `undefined` when it asked for none. */
  position: number | undefined;
  /** The place in the send order at which it came, or into a room last. */
  entered = 0;
  /** What it got of rooms; only of one that has a position. */
  served: ServedRooms | undefined;
  wakeSlot: number | undefined;
  readonly #number: number;
  #pingAt: number;
  /** 0 = it lives on. */
  #endsAt: number;
  /** While data waits: whether the socket takes it. */
  #progress: Progress | undefined;
  /** Lets go of what could end it from outside. */
  #letGo: (() => void) | undefined;

  constructor(host: ConnectionHost, number: number, userId: string, settings: ConnectionSettings, lastEventId = '') {
    this.#host = host;
    this.#number = number;
    this.userId = userId;
    this.settings = settings;
    this.#sentId = lastEventId;
    const { maxLifetimeMs } = settings;
    // Whole milliseconds: V8 keeps them in the object, and fractions beside it.
    const now = Math.round(host.clock.now());
    this.connectedAt = now;
    this.#pingAt = now + this.#pingMs;
    this.#endsAt = maxLifetimeMs === undefined ? 0 : now + jitteredLifetime(maxLifetimeMs);
  }

  /** Unique across instances. Made when asked for: most connections are never asked. */
  get connId(): ConnectionId {
    return `${this.#host.instanceId}-${this.#number.toString(36)}`;
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** Order of the newest frame with an id that it accepted; what is older goes without its id. */
  get cursor(): number {
    return this.#cursor;
  }

  /** The last id its client was sent. */
  get sentId(): string {
    return this.#sentId;
  }

  /** It reads a backlog, so that frames with an id are not given to it. */
  get lagging(): boolean {
    return this.#backlog !== undefined;
  }

  /** Its client has stalled, and not caught up with what it accepted. */
  get behind(): boolean {
    return this.#behind;
  }

  /** Its client is behind, or was sent as much in this tick as its queue could hold: who can wait should send no more now. */
  get crowded(): boolean {
    if (this.#behind) return true;
    if (this.#fresh === undefined) return false;
    const items = this.#fresh instanceof Burst ? this.#fresh.length : 1;
    return items >= this.settings.maxQueueItems || this.#fresh.byteLength >= this.settings.maxQueueBytes;
  }

  /** Reads a backlog first, as fast as its client takes it; then it is live. */
  follow(backlog: Backlog): void {
    this.#backlog = backlog;
    this.#host.flusher.mark(this);
  }

  /** The backlog may have more. */
  readOn(): void {
    if (this.#backlog !== undefined) this.#host.flusher.mark(this);
  }

  /** Starts to write to `sink`, the first frame at once. */
  start(sink: Sink, first: Frame): void {
    this.#sink = sink;
    this.#write(new Chunk(first));
    if (this.open) this.#wakeAt(Math.min(this.#pingAt, this.#endsAt || NEVER));
  }

  /** Takes one frame for the client. */
  push(frame: Frame): PushOutcome {
    if (this.#state !== 'open' || (this.#backlog !== undefined && frame.hasId)) return 'refused';
    if (this.#behind) {
      const outcome = this.#enqueue(frame);
      if (outcome !== 'accepted') return outcome;
    } else {
      this.#fresh = this.#host.flusher.add(this.#fresh, frame);
    }
    if (frame.hasId) this.#cursor = frame.order;
    if (!this.#stalled) this.#host.flusher.mark(this);
    return 'accepted';
  }

  /** Takes frames that are resent; they go behind what waits, and are never dropped. */
  pushReplay(frames: readonly Frame[]): void {
    if (this.#state === 'open') this.#pushReplay(frames);
  }

  #pushReplay(frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    this.#arrears ??= new Arrears();
    this.#arrears.pushReplay([...framesOf(this.#takeFresh()), ...frames]);
    for (const { hasId, order } of frames) if (hasId) this.#cursor = Math.max(this.#cursor, order);
    if (!this.#stalled) this.#host.flusher.mark(this);
  }

  /** Takes a last word, which costs no frame its place. */
  pushLast(frame: Frame): void {
    if (this.#behind) this.pushReplay([frame]);
    else this.push(frame);
  }

  /** Ends it: gracefully, after what it accepted, or at once when its client cannot take that. */
  close(reason: DisconnectReason, retryMs?: number): void {
    if (this.#state !== 'open') return;
    if (retryMs !== undefined) this.pushLast(encodeRetry(retryMs));
    this.#leave(reason);
    if (reason === 'backpressure') this.destroy();
    else {
      this.#watchProgress();
      this.#host.flusher.mark(this);
    }
  }

  /** Ends it when the signal aborts. */
  endWith(signal: AbortSignal): void {
    if (signal.aborted) this.close('aborted');
    else if (this.#state !== 'ended') this.#letGo = onceAborted(signal, () => this.close('aborted'));
  }

  /** Cuts the client off. @param reason - what is told of one that was open */
  destroy(reason: DisconnectReason = 'shutdown'): void {
    this.#leave(reason);
    const sink = this.#sink;
    this.#finish();
    sink?.destroy();
  }

  drained(): void {
    this.#stalled = false;
    this.#progress = undefined;
    if (this.#arrears?.empty !== false) this.#caughtUp();
    if (!this.crowded) relieve(this);
    if (this.#state === 'ending') this.#watchProgress();
    if (this.#arrears !== undefined || this.lagging || this.#state === 'ending') this.#host.flusher.mark(this);
  }

  closed(reason: DisconnectReason): void {
    this.#leave(reason);
    this.#finish();
  }

  flush(encode: Encoder): void {
    if (this.#stalled || this.#state === 'ended') return;
    const arrears = this.#arrears;
    if (arrears === undefined) {
      const frames = this.#withPing(this.#takeFresh());
      if (frames !== undefined) this.#writeAll(frames, encode);
    } else {
      this.#pingDue = false;
      // Accepted while it kept up: behind what is resent, but whole.
      const fresh = this.#takeFresh();
      if (fresh !== undefined) arrears.pushReplay(framesOf(fresh));
      while (!this.#stalled && this.#writeNext(arrears));
      if (!this.#stalled) this.#caughtUp();
    }
    if (this.#backlog !== undefined && !this.#stalled) this.#read(this.#backlog);
    const owes = this.#stalled || this.#arrears !== undefined || this.#backlog !== undefined;
    if (this.#state === 'ending' && !owes) this.#sink?.end(this.#host.draining);
    if (!this.crowded) relieve(this);
  }

  /** @param polled - sockets were served since its time came */
  wake(now: number, polled = false): number | undefined {
    if (this.#state === 'ended') return undefined;
    if (this.#progress?.hasStopped(now) === true) {
      if (!polled) {
        // What its client took while this process was held up does not show before the loop has turned.
        setImmediate(() => this.#wakeAt(this.wake(now, true) ?? NEVER));
        return undefined;
      }
      this.destroy('stalled');
      return undefined;
    }
    if (this.#endsAt !== 0 && now >= this.#endsAt) {
      this.#endsAt = 0;
      this.close('lifetime');
    }
    if (this.#state === 'open' && now >= this.#pingAt) {
      this.#pingAt = Math.round(now) + this.#pingMs;
      if (!this.#stalled) {
        this.#pingDue = true;
        this.#host.flusher.mark(this);
      }
    }
    const pingAt = this.#state === 'open' ? this.#pingAt : NEVER;
    const lookAt = this.#progress?.nextLook(now) ?? NEVER;
    const next = Math.min(pingAt, this.#endsAt || NEVER, lookAt);
    return next === NEVER ? undefined : next;
  }

  #read(backlog: Backlog): void {
    const frames = backlog.next(this.open);
    if (frames === 'later' || this.#backlog !== backlog) return;
    if (frames !== 'done') {
      this.#pushReplay(frames);
      // A piece without a frame for this client is no reason to wait.
      if (frames.length === 0) this.readOn();
      return;
    }
    this.#backlog = undefined;
    const cursor = this.#host.cursor(this.#sentId);
    if (cursor !== undefined) this.pushReplay([cursor]);
  }

  get #pingMs(): number {
    return Math.min(this.settings.keepAliveMs || NEVER, this.#host.cursorMs ?? NEVER);
  }

  #enqueue(frame: Frame): PushOutcome {
    this.#arrears ??= new Arrears();
    let limits: QueueLimits = this.settings;
    // One too large for any queue would be refused under that policy too.
    const ends = limits.dropPolicy === 'disconnect' && frame.byteLength <= limits.maxQueueBytes;
    if (!ends && !this.#arrears.takes(frame, limits)) {
      if (frame.hasId && this.#host.leaveBehind(this, frame)) return 'refused';
      // What is live only makes no room for itself among events that must not be lost.
      if (this.#host.cursorMs !== undefined) limits = { ...limits, dropPolicy: 'newest' };
    }
    const outcome = this.#arrears.push(frame, limits);
    const droppedOldest = this.#arrears.takeDroppedOldest();
    const refused = outcome === 'refused' ? 1 : 0;
    if (droppedOldest + refused > 0) this.#host.dropped(this, droppedOldest, refused);
    this.#host.queued(this.#arrears.items, this.#arrears.bytes);
    return outcome;
  }

  #takeFresh(): Frame | Burst | undefined {
    const fresh = this.#fresh;
    this.#fresh = undefined;
    return fresh;
  }

  #caughtUp(): void {
    this.#arrears = undefined;
    this.#behind = false;
  }

  /** A heartbeat goes before what is written anyway, so that it never waits. */
  #withPing(fresh: Frame | Burst | undefined): Frame | Burst | undefined {
    if (!this.#pingDue) return fresh;
    this.#pingDue = false;
    const frames = framesOf(fresh);
    if (this.settings.keepAliveMs > 0) frames.unshift(this.#host.heartbeat(this.settings));
    // One that is leaving is given nothing more: what came since then is between its last event and now.
    const live = this.open && !this.lagging;
    const cursor = live ? this.#host.cursor(lastId(frames) ?? this.#sentId) : undefined;
    if (cursor !== undefined) frames.push(cursor);
    let all: Frame | Burst | undefined;
    for (const frame of frames) all = this.#host.flusher.add(all, frame);
    return all;
  }

  /** Writes what a client that keeps up got in this tick; what comes after a stall waits, whole and by reference. */
  #writeAll(fresh: Frame | Burst, encode: Encoder): void {
    if (fresh instanceof Frame) {
      this.#write(encode(fresh));
      return;
    }
    for (const chunk of fresh.claim()) {
      if (!this.#stalled) this.#write(chunk);
      else {
        this.#arrears ??= new Arrears();
        this.#arrears.pushReplay(chunk.frames instanceof Frame ? [chunk.frames] : chunk.frames);
      }
    }
  }

  /** Writes what comes next for a client that is behind. @returns whether there was something */
  #writeNext(arrears: Arrears): boolean {
    const next = arrears.next((frames) => this.#host.gap(this, lastId(frames) ?? this.#sentId, 'dropped'));
    if (next instanceof Chunk) this.#write(next);
    else if (next !== undefined) {
      this.#sentId = next.lastId ?? this.#sentId;
      this.#noteStall(this.#sink?.writeBytes(next.bytes));
    }
    return next !== undefined;
  }

  #write(chunk: Chunk): void {
    this.#sentId = chunk.lastId ?? this.#sentId;
    this.#noteStall(this.#sink?.write(chunk));
  }

  #noteStall(taken: boolean | undefined): void {
    if (taken !== false) return;
    this.#stalled = true;
    this.#behind = true;
    this.#watchProgress();
  }

  /** From now on the client has to take bytes. */
  #watchProgress(): void {
    // A made-up response may be over before its write returns, or when a listener hears of its end.
    if (this.#state === 'ended') return;
    const now = this.#host.clock.now();
    this.#progress = new Progress(this.#sink, this.settings.stallTimeoutMs, now);
    this.#wakeAt(this.#progress.nextLook(now));
  }

  #wakeAt(at: number): void {
    if (at !== NEVER) this.#host.clock.wakeAt(this, at);
  }

  /** Takes no frame any more. */
  #leave(reason: DisconnectReason): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#host.left(this, reason);
  }

  #finish(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#host.clock.cancel(this);
    this.#letGo?.();
    this.#letGo = undefined;
    this.#sink?.detach(this.#host.draining);
    this.#sink = undefined;
    this.#fresh = undefined;
    this.#arrears = undefined;
    this.#backlog = undefined;
    this.#progress = undefined;
    this.#host.gone(this);
  }
}
