import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { type Subscriber, subscribe } from '../helpers/event-source.js';
import { type Example, postJson, request, startFile, startScript } from '../helpers/example.js';

const NAMES = ['message', 'note', 'hello', 'live', 'server:gap', 'server:cursor', 'server:shutdown'];

/** Opens a stream and waits until it is live. */
async function connect(demo: Example, query: string): Promise<Subscriber> {
  const subscriber = subscribe(`${demo.url}/sse?${query}`, NAMES);
  await subscriber.event('live');
  return subscriber;
}

const note = (n: number) => ({ event: 'note', data: { n } });

/** The numbers of the notes heard so far. */
const notes = (subscriber: Subscriber) => subscriber.data('note').map((data) => (data as { n: number }).n);

/** Sends a last note to everyone, after which nothing sent before can still be on its way. */
async function settled(demo: Example, ...subscribers: Subscriber[]): Promise<void> {
  await postJson(`${demo.url}/broadcast`, note(-1));
  await Promise.all(subscribers.map((each) => each.until(() => notes(each).includes(-1))));
}

describe('npm run demo', () => {
  let demo: Example;
  beforeAll(async () => {
    demo = await startScript('demo', { SSE_RETRY_MS: '20' });
  });
  afterAll(() => demo.stop());

  const stats = async () => (await request(`${demo.url}/stats`)).json() as Record<string, number>;

  // Clients of the test before may still be on their way out.
  beforeEach(() => expect.poll(stats).toMatchObject({ connections: 0 }));

  it('prints its address and serves the page there', async () => {
    expect(demo.output).toContain(`ssekify demo: ${demo.url}\n`);
    const page = await request(`${demo.url}/`);
    expect(page.status).toBe(200);
    expect(page.type).toContain('text/html');
    for (const [, file] of page.text.matchAll(/(?:href|src)="([\w.]+)"/g)) {
      expect((await request(`${demo.url}/${file}`)).status, file).toBe(200);
    }
  });

  it('sends to one user on all of their connections, and to nobody else', async () => {
    const phone = await connect(demo, 'userId=to-ann');
    const laptop = await connect(demo, 'userId=to-ann');
    const other = await connect(demo, 'userId=to-bob');
    const answer = await postJson(`${demo.url}/notify/to-ann`, note(1));
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ reached: 2 });
    await settled(demo, phone, laptop, other);
    expect([phone, laptop, other].map(notes)).toEqual([[1, -1], [1, -1], [-1]]);
  });

  it('sends to a room, whose names are separated by commas, and to nobody outside', async () => {
    const inside = await connect(demo, 'userId=room-ann&rooms=red,%20blue');
    const outside = await connect(demo, 'userId=room-bob&rooms=green,,');
    expect(inside.data('live')).toMatchObject([{ rooms: ['red', 'blue'] }]);
    expect(outside.data('live')).toMatchObject([{ rooms: ['green'] }]);
    expect((await postJson(`${demo.url}/room/blue`, note(1))).json()).toEqual({ reached: 1 });
    await settled(demo, inside, outside);
    expect([inside, outside].map(notes)).toEqual([[1, -1], [-1]]);
  });

  it('sends to everyone', async () => {
    const ann = await connect(demo, 'userId=all-ann');
    const bob = await connect(demo, 'userId=all-bob');
    expect((await postJson(`${demo.url}/broadcast`, note(1))).json()).toEqual({ reached: 2 });
    expect((await ann.event('note')).data).toMatchObject({ n: 1 });
    expect((await bob.event('note')).data).toMatchObject({ n: 1 });
  });

  it('publishes to a room and answers with the id that the event arrives with', async () => {
    const ann = await connect(demo, 'userId=publish-ann&rooms=hall');
    const answer = await postJson(`${demo.url}/publish-room/hall`, note(1));
    const { id, data } = await ann.event('note');
    expect(answer.json()).toEqual({ id });
    expect(data).toMatchObject({ n: 1 });
  });

  it('takes a body without a data member as the data itself', async () => {
    const ann = await connect(demo, 'userId=body-ann');
    for (const body of [{ text: 'hi' }, 'text', 7, null, [1, 2], { data: 0 }]) {
      await postJson(`${demo.url}/notify/body-ann`, body);
    }
    await ann.until(() => ann.data('message').length === 6);
    expect(ann.data('message')).toEqual([{ text: 'hi', timestamp: expect.any(String) }, 'text', 7, null, [1, 2], 0]);
  });

  it('finds users and rooms of any name', async () => {
    for (const name of ['__proto__', 'constructor', 'jürgen 🦊', 'a/b?c', '*', '42']) {
      const encoded = encodeURIComponent(name);
      const client = await connect(demo, `userId=${encoded}&rooms=${encoded}`);
      expect((await postJson(`${demo.url}/notify/${encoded}`, note(1))).json()).toEqual({ reached: 1 });
      expect((await postJson(`${demo.url}/room/${encoded}`, note(2))).json()).toEqual({ reached: 1 });
      await client.until(() => notes(client).length === 2);
      expect(client.events.map(({ event }) => event)).not.toContain('server:gap');
      client.close();
    }
  });

  it("ends a user's streams, and their browsers come back by themselves", async () => {
    const ann = await connect(demo, 'userId=close-ann');
    const bob = await connect(demo, 'userId=close-bob');
    const { id } = await ann.event('hello');
    const seen = ann.events.length;
    expect((await request(`${demo.url}/close/close-ann`, { method: 'POST' })).json()).toEqual({ closed: 1 });
    await ann.event('live', seen);
    expect(ann.resumedAfter).toEqual([undefined, id]);
    expect(bob.losses).toBe(0);
    expect((await request(`${demo.url}/close/close-nobody`, { method: 'POST' })).json()).toEqual({ closed: 0 });
  });

  it('tells in its stats who is there and what was sent', async () => {
    const before = await stats();
    expect(before).toMatchObject({ connections: 0, users: 0, rooms: 0 });
    const first = await connect(demo, 'userId=stats-ann&rooms=desk');
    const second = await connect(demo, 'userId=stats-ann&rooms=desk,lobby');
    await settled(demo, first, second);
    const after = await stats();
    expect(after).toMatchObject({ connections: 2, users: 1, rooms: 2, errorCount: before.errorCount });
    // `live` to each, `hello` to one and then to two, the note to two.
    expect(after.sent).toBe(Number(before.sent) + 7);
  });

  it('resends what a client missed, in send order and once, before it is live again', async () => {
    const ann = await connect(demo, 'userId=back-ann&rooms=back-room');
    await postJson(`${demo.url}/notify/back-ann`, note(1));
    const { id } = await ann.event('note');
    const seen = ann.events.length;
    ann.offline();
    await request(`${demo.url}/close/back-ann`, { method: 'POST' });
    await ann.until(() => ann.losses === 1);
    expect((await postJson(`${demo.url}/notify/back-ann`, note(2))).json()).toEqual({ reached: 0 });
    await postJson(`${demo.url}/room/back-room`, note(3));
    await postJson(`${demo.url}/broadcast`, note(4));
    await postJson(`${demo.url}/publish-room/back-room`, note(5));
    await postJson(`${demo.url}/notify/back-somebody-else`, note(100));
    await postJson(`${demo.url}/room/back-other-room`, note(101));
    await postJson(`${demo.url}/notify/back-ann`, note(6));
    ann.online();
    const live = await ann.event('live', seen);
    await settled(demo, ann);
    expect(ann.resumedAfter).toEqual([undefined, id]);
    expect(live.data).toMatchObject({ resumedAfter: id });
    const names = ann.events.slice(seen).map(({ event }) => event);
    expect(names).toEqual(['note', 'note', 'note', 'note', 'note', 'live', 'note']);
    expect(notes(ann)).toEqual([1, 2, 3, 4, 5, 6, -1]);
  });

  it('resends to a new EventSource that has its last id in the query', async () => {
    const before = await connect(demo, 'userId=query-ann');
    const { id } = await before.event('hello');
    before.close();
    await postJson(`${demo.url}/notify/query-ann`, note(1));
    const after = await connect(demo, `userId=query-ann&lastEventId=${encodeURIComponent(id)}`);
    expect(after.events.map(({ event }) => event)).toEqual(['note', 'live']);
    expect(after.resumedAfter).toEqual([undefined]);
  });

  describe('answers bad input with a JSON error, and streams go on', () => {
    const json = { 'Content-Type': 'application/json' };
    const post = (path: string, body?: string, headers: Record<string, string> = json) => ({
      path,
      options: { method: 'POST', headers, ...(body === undefined ? {} : { body }) },
    });
    const table: [string, number, { path: string; options?: Parameters<typeof request>[1] }][] = [
      ['a stream without a user', 400, { path: '/sse' }],
      ['a stream of an empty user', 400, { path: '/sse?userId=&rooms=a' }],
      ['a stream of two users', 400, { path: '/sse?userId=a&userId=b' }],
      ['a user in an array', 400, { path: '/sse?userId[]=a' }],
      ['a user path that cannot be decoded', 400, post('/notify/%E0%A4%A', '{"data":1}')],
      ['a file path that cannot be decoded', 404, { path: '/%E0%A4%A' }],
      ['no user to notify', 404, post('/notify/', '{"data":1}')],
      ['an unknown route', 404, { path: '/nothing' }],
      ['a stream asked for by POST', 404, post('/sse?userId=a', '{"data":1}')],
      ['a body that is not JSON', 400, post('/broadcast', '{"data":')],
      ['an unquoted word', 400, post('/broadcast', 'hello')],
      ['a body of another type', 415, post('/broadcast', '{"data":1}', { 'Content-Type': 'text/plain' })],
      ['no body', 415, post('/room/a', undefined, {})],
      ['an empty body', 415, post('/room/a', '', { ...json, 'Content-Length': '0' })],
      ['another character set', 415, post('/room/a', '1', { 'Content-Type': 'application/json; charset=x' })],
      ['a body that is said to be compressed', 400, post('/room/a', '{}', { ...json, 'Content-Encoding': 'gzip' })],
      ['a body over the limit', 413, post('/broadcast', JSON.stringify('x'.repeat(70_000)))],
      ['nesting without end', 400, post('/publish-room/a', `${'['.repeat(30_000)}${']'.repeat(30_000)}`)],
      ['an event name that is no string', 400, post('/broadcast', '{"event":5,"data":1}')],
      ['an event name with a line break', 400, post('/notify/bad-ann', '{"event":"a\\ndata: forged","data":1}')],
      ['such a name to a room', 400, post('/room/a', '{"event":"a\\r","data":1}')],
      ['such a name published', 400, post('/publish-room/a', '{"event":"a\\u0000","data":1}')],
    ];

    it.each(table)('%s (%i)', async (_what, status, { path, options }) => {
      const ann = await connect(demo, 'userId=bad-ann&rooms=a');
      const answer = await request(demo.url + path, options);
      expect(answer.status).toBe(status);
      expect(answer.type).toContain('application/json');
      expect(answer.json().error).toEqual(expect.any(String));
      await settled(demo, ann);
      expect(ann.losses).toBe(0);
      expect(ann.events.map(({ event }) => event)).toEqual(['live', 'hello', 'note']);
    });
  });

  it('names the code of a misuse', async () => {
    const answer = await request(`${demo.url}/sse?userId=`);
    expect(answer.json()).toEqual({ error: expect.stringContaining('userId'), code: 'INVALID_USER_ID' });
  });
});

describe('a restarted demo', () => {
  it('tells a client whose last id it does not know of a gap, once', async () => {
    const demo = await startScript('demo', { SSE_RETRY_MS: '20' });
    atEnd(demo.stop);
    const ann = await connect(demo, 'userId=gap-ann&lastEventId=of-the-process-before');
    expect(ann.events.map(({ event }) => event)).toEqual(['server:gap', 'server:cursor', 'live']);
    expect(ann.data('server:gap')).toEqual([{ lastEventId: 'of-the-process-before', reason: 'unknown' }]);
    const seen = ann.events.length;
    await request(`${demo.url}/close/gap-ann`, { method: 'POST' });
    await ann.event('live', seen);
    expect(ann.events.slice(seen).map(({ event }) => event)).toEqual(['live']);
  });
});

describe("the demo's settings", () => {
  it('come from the environment', async () => {
    const demo = await startScript('demo', { SSE_RECENT_BUFFER: '2', SSE_RETRY_MS: '4321', SSE_KEEPALIVE_MS: '25' });
    atEnd(demo.stop);
    const before = await connect(demo, 'userId=ann&rooms=desk');
    await postJson(`${demo.url}/room/desk`, note(0));
    const { id } = await before.event('note');
    before.close();
    for (const n of [1, 2, 3]) await postJson(`${demo.url}/notify/ann`, note(n));
    const after = await connect(demo, `userId=ann&rooms=desk&lastEventId=${id}`);
    expect(after.data('server:gap')).toEqual([{ lastEventId: id, reason: 'evicted' }]);
    expect(notes(after)).toEqual([2, 3]);
    const raw = await rawUntil(`${demo.url}/sse?userId=ann`, ': ping');
    expect(raw).toMatch(/^retry: 4321\n/);
  });

  it('are refused by name when they are wrong', async () => {
    await expect(startFile('examples/express/index.js', { SSE_KEEPALIVE_MS: 'often' })).rejects.toThrow('keepAliveMs');
    await expect(startFile('examples/egg/index.js', { PORT: 'abc' })).rejects.toThrow('PORT is abc');
  });
});

describe('stopping the demo', () => {
  it('by SIGTERM tells the clients, and the process exits by itself with 0', async () => {
    const demo = await startFile('examples/express/index.js');
    atEnd(demo.stop);
    const clients = await Promise.all(['ann', 'bob', 'ann'].map((user) => connect(demo, `userId=${user}&rooms=a`)));
    demo.signal('SIGTERM');
    await Promise.all(clients.map((client) => client.event('server:shutdown')));
    expect(await demo.over).toEqual({ code: 0, signal: null });
  });

  it('by Ctrl-C, which npm passes on a second time, leaves no process', async () => {
    const demo = await startScript('demo');
    atEnd(demo.stop);
    const ann = await connect(demo, 'userId=ann');
    demo.signal('SIGINT');
    await ann.event('server:shutdown');
    demo.signal('SIGINT');
    await demo.over;
    await expect(request(`${demo.url}/stats`)).rejects.toThrow('ECONNREFUSED');
  });
});

/** What a stream says up to these characters. */
async function rawUntil(url: string, end: string): Promise<string> {
  const leaving = new AbortController();
  const { body } = await fetch(url, { signal: leaving.signal });
  let text = '';
  for await (const chunk of body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes(end)) break;
  }
  leaving.abort();
  return text;
}
