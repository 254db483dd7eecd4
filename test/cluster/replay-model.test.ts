import { expect, it } from 'vitest';
import type { SSEKifyOptions } from '../../src/index.js';
import type { Scope } from '../../src/types.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';
import { randomFrom } from '../helpers/stall.js';

const CHANNEL = 'ssekify:bus';
const USERS = ['ann', 'ben', 'cal'];
const ROOMS = ['r', 's'];
const STEPS = 140;
const AUTOMATIC = /^\d{1,15}-([a-z0-9]{10})-(0|[1-9]\d{0,14})$/;
const LOCAL = /^(.+)\+[a-z0-9]{10}\.\d+$/;

/** An event as an instance delivered it; no two say the same word. */
interface Delivered {
  id: string | undefined;
  scope: Scope;
  word: string;
  /** Its id is an automatic one, with a counter above all before of its origin. */
  counted: boolean;
}

/** An instance, and all that it has delivered: what its replay is compared with. */
async function instance(bus: MemoryBus, options: SSEKifyOptions) {
  const adapter = bus.adapter();
  const hub = await serveHub({ hub: { ...options, redis: adapter } });
  const errors = collect(hub.sse, 'error');
  await hub.sse.ready();
  const history: Delivered[] = [];
  const highest = new Map<string, number>();
  const published = new Set<string>();
  /** How much of the history was there with an event or a cursor, by its id. */
  const places = new Map<string, number[]>();
  const deliver = (id: string | undefined, scope: Scope, word: string, isPublished = true) => {
    const key = `${id} ${scope.kind} ${scope.name}`;
    if (id !== undefined && isPublished && published.has(key)) return;
    if (isPublished) published.add(key);
    const [, origin = '', counter] = AUTOMATIC.exec(id ?? '') ?? [];
    const counted = counter !== undefined && Number(counter) > (highest.get(origin) ?? -1);
    if (counted) highest.set(origin, Number(counter));
    history.push({ id, scope, word, counted });
    if (id !== undefined) places.set(id, [...(places.get(id) ?? []), history.length]);
  };
  return { ...hub, adapter, errors, history, places, deliver, tornAt: 0 };
}

type Instance = Awaited<ReturnType<typeof instance>>;

/** A client's stay at an instance. */
interface Stay {
  lastEventId: string | undefined;
  sees(scope: Scope): boolean;
  /** How much of the history was there when it came, and where that was torn last. */
  from: number;
  tornAt: number;
  /** What it was given. */
  got: string[];
  reason: string | undefined;
}

/** Whether a client was given what it is due. */
function judge({ history, places }: Instance, { lastEventId, sees, from, tornAt, got, reason }: Stay): void {
  // What has no id is live only.
  const since = (place: number) =>
    history
      .slice(place)
      .filter(({ scope, id }, index) => sees(scope) && (id !== undefined || place + index >= from))
      .map(({ word }) => word);
  const live = since(from);
  expect(got.slice(got.length - live.length)).toEqual(live);
  expect(new Set(got).size).toBe(got.length);
  if (lastEventId === undefined) {
    expect(got).toEqual(live);
    expect(reason).toBeUndefined();
    return;
  }
  // One id may have been given to several events, of which its client has seen one; and a local id follows a published one.
  const followed = LOCAL.exec(lastEventId)?.[1] ?? '';
  const known = [...(places.get(lastEventId) ?? []), ...(places.get(followed) ?? [])].filter((place) => place <= from);
  const due = known.map(since);
  if (reason === undefined) {
    const whole = known.filter((place) => tornAt <= place + 1).map(since);
    expect(whole).toContainEqual(got);
  } else if (reason === 'evicted') {
    expect(due.some((all) => isPartOf(got, all))).toBe(true);
    const [only = 0] = known;
    if (known.length === 1 && tornAt <= only) expect(due).not.toContainEqual(got);
  } else {
    expect(isPartOf(got, since(0))).toBe(true);
    // The place of an automatic id is known however long its event is gone.
    const [only = 0] = known;
    if (known.length === 1) expect(history[only - 1]).not.toMatchObject({ id: lastEventId, counted: true });
  }
}

/** Whether a list is the other with some left out. */
function isPartOf(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const each of whole) if (each === part[at]) at += 1;
  return at === part.length;
}

it.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'gives who comes back to any instance just what was missed, or a gap with its reason (seed %i)',
  async (seed) => {
    const random = randomFrom(seed);
    const pick = (sides: number) => Math.floor(random() * sides);
    function oneOf<Value>(...list: Value[]): Value;
    function oneOf(...list: unknown[]): unknown {
      return list[pick(list.length)];
    }
    const bus = new MemoryBus();
    const start = () =>
      instance(bus, {
        recentBufferSize: oneOf(0, 1, 3, 5, 5, 20),
        recentMaxBytes: oneOf(0, 700, 3000, 1_000_000, 1_000_000),
        recentMaxUsers: oneOf(1, 3, 1000),
        seq: { frameIdPolicy: oneOf('timestamp', 'timestamp', 'timestamp', 'snowflake', 'none') },
      });
    const hubs = [await start(), await start(), await start()] as const;
    let words = 0;

    const newScope = (): Scope => {
      const kind = oneOf('user', 'user', 'user', 'room', 'all');
      return kind === 'all' ? { kind } : { kind, name: oneOf(...(kind === 'user' ? USERS : ROOMS)) };
    };
    const newData = () => {
      words += 1;
      const lengths = [0, 0, 0, pick(400), 1100, 1300].map((length) => 'x'.repeat(length));
      return { word: `w${words}`, pad: oneOf(...lengths, 'zwölf €'.repeat(pick(99))) };
    };
    const newId = (): string | undefined => {
      const { history } = oneOf(...hubs);
      const known = history[pick(history.length)]?.id;
      const [, origin = 'qqqqqqqqqq', counter = '5'] = AUTOMATIC.exec(known ?? '') ?? [];
      return oneOf(
        known,
        undefined,
        `own ${words}`,
        `größe ${words}`,
        `7-${origin}-${counter}`,
        `8-${origin}-${Math.max(0, Number(counter) - pick(5))}`,
        `9-${oneOf('ffffffffff', 'gggggggggg')}-${words + pick(9)}`,
        pick(12) === 0 ? `9-${origin}-999999999999999` : undefined,
        `5-${origin}-9999999999999999`,
        `5-öööööööööö-${words}`,
      );
    };
    const publish = ({ sse }: Instance, { kind, name = '' }: Scope, data: object) => {
      const id = pick(4) === 0 ? newId() : undefined;
      if (kind === 'all') return sse.publishToAll(data, { id });
      return kind === 'user' ? sse.publishToUser(name, data, { id }) : sse.publishToRoom(name, data, { id });
    };
    const send = async ({ sse, url, deliver }: Instance, scope: Scope, data: { word: string }) => {
      const { kind, name = '' } = scope;
      const listener = await openStream(kind === 'room' ? `${url}/zoe?rooms=${name}` : `${url}/${name || 'zoe'}`);
      if (kind === 'all') sse.sendToAll(data);
      else if (kind === 'user') sse.sendToUser(name, data);
      else sse.sendToRoom(name, data);
      const [event] = await listener.received(1);
      deliver(event?.id, scope, data.word, false);
      listener.close();
      await listener.over;
    };
    const act = async () => {
      const hub = oneOf(...hubs);
      const [scope, data, what] = [newScope(), newData(), pick(20)];
      if (what < 12) {
        const { id } = await publish(hub, scope, data);
        for (const { deliver } of hubs) deliver(id, scope, data.word);
      } else if (what < 15) {
        const id = newId();
        bus.publish(CHANNEL, JSON.stringify({ type: scope.kind, target: scope.name, id, data }));
        for (const { deliver } of hubs) deliver(id, scope, data.word);
      } else if (what < 19) await send(hub, scope, data);
      else {
        hub.adapter.refusal = new Error('refused');
        const id = await publish(hub, scope, data).then(
          () => undefined,
          (error: { id?: string }) => error.id,
        );
        hub.adapter.refusal = undefined;
        const { length } = hub.history;
        hub.deliver(id, scope, data.word);
        if (hub.history.length > length) hub.tornAt = hub.history.length + 1;
      }
      await new Promise((resolve) => setImmediate(resolve));
    };

    const lastIds = new Map<string, string>();
    const visit = async () => {
      const hub = oneOf(...hubs);
      const { url, handles, handle, history, places, tornAt } = hub;
      const user = oneOf(...USERS);
      const rooms = ROOMS.filter(() => pick(2) === 0);
      const lastEventId = lastIds.get(user);
      const [from, visits] = [history.length, handles.length];
      const path = rooms.length === 0 ? user : `${user}?rooms=${rooms}`;
      const client = await openStream(`${url}/${path}`, lastEventId === undefined ? {} : { lastEventId });
      for (let count = pick(3); count > 0; count -= 1) await act();
      (await handle(visits)).send('end', { event: 'end', text: true });
      await client.event('end');
      const gap = client.events.find(({ event }) => event === 'server:gap');
      judge(hub, {
        lastEventId,
        sees: ({ kind, name = '' }) => kind === 'all' || (kind === 'user' ? name === user : rooms.includes(name)),
        from,
        tornAt,
        got: client.events.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data).word),
        reason: gap === undefined ? undefined : JSON.parse(gap.data).reason,
      });
      const cursor = client.events.find(({ event }) => event === 'server:cursor');
      if (cursor?.id !== undefined) places.set(cursor.id, [from]);
      if (client.lastEventId !== '') lastIds.set(user, client.lastEventId);
      client.close();
      await client.over;
    };

    for (let step = 0; step < STEPS; step += 1) await (pick(3) === 0 ? visit() : act());
    for (const { errors } of hubs) expect(errors.filter(({ code }) => code !== 'PUBLISH_REFUSED')).toEqual([]);
  },
);
