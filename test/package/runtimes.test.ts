import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { type Example, postJson, startCommand } from '../helpers/example.js';
import { runtime } from '../helpers/runtimes.js';
import { install, type Packed, type Project, pack } from './packed.js';

let packed: Packed;
let project: Project;
beforeAll(async () => {
  packed = await pack();
  project = await install(packed, 'web');
});
afterAll(async () => {
  await project.remove();
  await packed.remove();
});

const PERMISSIONS = ['--allow-net', '--allow-read', '--allow-env'];

/** For what nobody tells of. */
const PATIENT = { timeout: 20_000 };

describe.for([
  { name: 'bun', args: [] },
  { name: 'deno', args: ['run', ...PERMISSIONS] },
] as const)('the packed package under $name', ({ name, args }) => {
  let program: string | undefined;
  beforeAll(async () => {
    program = await runtime(name);
  });

  /** The served hub; `undefined` where this machine cannot have the runtime. */
  async function served(env: Readonly<Record<string, string>> = {}) {
    if (program === undefined) return undefined;
    const running: Example = await startCommand(program, [...args, 'serve.mjs'], env, project.folder);
    atEnd(running.stop);
    const command = async (what: string, options: object = {}) =>
      (await postJson(`${running.url}/command/${what}`, options)).json();
    return { running, url: running.url, command, stats: () => command('stats') };
  }

  it('sends the head of an event stream, headers of one’s own, and answers HEAD and refusals', async ({ skip }) => {
    const hub = (await served()) ?? skip();
    const first = await openStream(`${hub.url}/ann`);
    expect(first.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-own': 'yes',
      'set-cookie': ['a=1', 'b=2'],
      'transfer-encoding': 'chunked',
    });
    expect(first.headers['content-length']).toBeUndefined();
    await first.until(({ retries }) => retries[0] === 2000);
    await openStream(`${hub.url}/ann`);
    const third = await openStream(`${hub.url}/ann`);
    await third.over;
    expect(third).toMatchObject({ status: 429, ended: true });
    const head = await openStream(`${hub.url}/bob`, { method: 'HEAD' });
    await head.over;
    expect(head.status).toBe(200);
    expect(head.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(await hub.stats()).toMatchObject({ connections: 2, refusals: ['user-limit', 'head'], errors: [] });
  });

  it('resumes after an id that is not ASCII, and forgets clients that leave, once each', async ({ skip }) => {
    const hub = (await served()) ?? skip();
    await hub.command('send', { count: 3 });
    const client = await openStream(`${hub.url}/ann?room=a&room=b`, { lastEventId: 'é-日本-0' });
    expect((await client.received(2)).map(({ id }) => id)).toEqual(['é-日本-1', 'é-日本-2']);
    expect(await hub.stats()).toMatchObject({ connections: 1, rooms: 2, replayed: 2, gaps: { unknown: 0 } });
    const other = await openStream(`${hub.url}/bob`);
    await hub.command('close', { user: 'bob' });
    await other.over;
    expect(other.ended).toBe(true);
    client.close();
    await expect.poll(hub.stats, PATIENT).toMatchObject({ connections: 0, users: 0, rooms: 0 });
    expect(await hub.stats()).toMatchObject({ disconnects: ['bob server', 'ann client'], errors: [] });
  });

  it('bounds a client that pauses, tells it of its loss once, and gives it the rest in order', async ({ skip }) => {
    const hub = (await served()) ?? skip();
    const paused = await openStream(`${hub.url}/ann`, { paused: true });
    const reading = await openStream(`${hub.url}/bob`);
    const count = 2000;
    await hub.command('send', { count, size: 8 * 1024 });
    const { queueBytesMax, connections } = await hub.stats();
    expect({ connections }).toEqual({ connections: 2 });
    expect(queueBytesMax).toBeLessThanOrEqual(256 * 1024);
    paused.resume();
    await Promise.all(
      [paused, reading].map((each) => each.until(({ lastEventId }) => lastEventId.endsWith(`-${count - 1}`))),
    );
    const numbers = paused.events.map(({ event, data }) => (event === 'server:gap' ? event : JSON.parse(data).n));
    const gapAt = numbers.indexOf('server:gap');
    expect(gapAt).toBeGreaterThan(0);
    // Of 32 MB, what sockets hold, and not much more, was taken for a client that took nothing.
    expect(gapAt).toBeLessThan(count / 2);
    expect(numbers.slice(0, gapAt)).toEqual(Array.from({ length: gapAt }, (_, n) => n));
    const rest = numbers.slice(gapAt + 1);
    expect(rest).toEqual(Array.from({ length: rest.length }, (_, n) => count - rest.length + n));
    expect(await hub.stats()).toMatchObject({ disconnects: [], errors: [] });
  });

  it('disconnects a client that takes nothing, and ends the others at a shutdown', async ({ skip }) => {
    const hub = (await served({ STALL_TIMEOUT_MS: '1500' })) ?? skip();
    const stuck = await openStream(`${hub.url}/stuck`, { paused: true });
    const reading = await openStream(`${hub.url}/ann`);
    await hub.command('send', { count: 1000, size: 8 * 1024 });
    await expect.poll(hub.stats, PATIENT).toMatchObject({ disconnects: ['stuck stalled'], connections: 1 });
    stuck.resume();
    await stuck.over;
    expect(stuck.ended).toBe(false);
    await hub.command('shutdown');
    await reading.over;
    expect(reading.ended).toBe(true);
    expect(await hub.stats()).toMatchObject({ connections: 0, errors: [] });
  });
});
