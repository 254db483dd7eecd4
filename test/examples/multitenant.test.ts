import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { type Example, postJson, request, startScript } from '../helpers/example.js';
import { program } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';
import { expectBadBodiesRefused, expectBadUsersRefused, expectCleanEnd, liveStream } from './refusals.js';

const redis = program('redis-server');

/** Names that look like something else: to JavaScript, to Redis, to a path, or like one another. */
const HOSTILE = [
  '__proto__',
  'constructor',
  '*',
  'a',
  'a:b',
  'A',
  'a/../b',
  '..%2f',
  'ünï 🦊',
  '{a}',
  '}',
  'x'.repeat(64),
];

async function startTenants(env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const example = await startScript('dev:multi', env);
  atEnd(example.stop);
  return example;
}

const at = (example: Example, tenant: string) => `${example.url}/${encodeURIComponent(tenant)}`;

const tenantsOf = async (example: Example): Promise<string[]> => JSON.parse((await request(example.url)).text).tenants;

const heard = ({ events }: Awaited<ReturnType<typeof liveStream>>) =>
  events.filter(({ event }) => event === 'news').map(({ data }) => JSON.parse(data));

/** Each tenant has the same user in the same room, and says the same three things. */
async function expectIsolated(examples: readonly Example[]): Promise<void> {
  const streams = await Promise.all(
    HOSTILE.map((tenant, index) =>
      liveStream(`${at(examples[index % examples.length] ?? fail(), tenant)}/sse?userId=ann&rooms=desk`),
    ),
  );
  for (const tenant of HOSTILE) {
    const base = at(examples[0] ?? fail(), tenant);
    await postJson(`${base}/notify/ann`, { event: 'news', data: [tenant, 'user'] });
    await postJson(`${base}/room/desk`, { event: 'news', data: [tenant, 'room'] });
    await postJson(`${base}/broadcast`, { event: 'news', data: [tenant, 'all'] });
  }
  for (const [index, stream] of streams.entries()) {
    await stream.until(() => heard(stream).length >= 3);
    const tenant = HOSTILE[index];
    expect(heard(stream)).toEqual([
      [tenant, 'user'],
      [tenant, 'room'],
      [tenant, 'all'],
    ]);
  }
}

function fail(): never {
  throw new Error('there is no such example');
}

describe('npm run dev:multi', () => {
  it('keeps tenants apart, whatever they are called', async () => {
    const example = await startTenants();
    await expectIsolated([example]);
    expect(new Set(await tenantsOf(example))).toEqual(new Set(HOSTILE));
  });

  it.skipIf(redis.skip)('keeps them apart across instances too', async () => {
    const { url } = await startRedis();
    const examples = await Promise.all([startTenants({ REDIS_URL: url }), startTenants({ REDIS_URL: url })]);
    for (const example of examples) {
      for (const tenant of HOSTILE) {
        const state = async () =>
          Reflect.get(Object((await request(`${at(example, tenant)}/stats`)).json().bus), 'state');
        await expect.poll(state).toBe('up');
      }
    }
    await expectIsolated(examples);
  });

  it.skipIf(redis.skip)('lets a hub go when it is idle, and makes it anew', async () => {
    const { url, client } = await startRedis();
    const observer = client();
    const example = await startTenants({ REDIS_URL: url, TENANT_IDLE_MS: '200' });
    const stream = await liveStream(`${at(example, 'busy')}/sse?userId=ann`);
    await postJson(`${at(example, 'idle')}/broadcast`, { data: 1 });
    await expect.poll(() => example.output).toContain('let go of "idle"');
    expect(await tenantsOf(example)).toEqual(['busy']);
    await expect.poll(() => observer.pubsub('CHANNELS')).toEqual(['ssekify:tenant:busy']);
    await postJson(`${at(example, 'busy')}/notify/ann`, { event: 'news', data: 'still here' });
    await stream.event('news');
    stream.close();
    await expect.poll(() => example.output).toContain('let go of "busy"');
    // The connections they shared are gone with the last, and there again with the next.
    await expect.poll(() => observer.pubsub('CHANNELS')).toEqual([]);
    const back = await liveStream(`${at(example, 'busy')}/sse?userId=ann`);
    await postJson(`${at(example, 'busy')}/notify/ann`, { event: 'news', data: 'back' });
    await back.event('news');
  });

  it('refuses bad input with 4xx, and streams go on', async () => {
    const example = await startTenants({ MAX_TENANTS: '2' });
    const base = at(example, 'a');
    const stream = await liveStream(`${base}/sse?userId=ann`);
    await expectBadUsersRefused(`${base}/sse`);
    for (const route of ['notify/ann', 'room/desk', 'broadcast']) {
      await expectBadBodiesRefused(`${base}/${route}`, [{ data: 1, event: 'two\nlines' }]);
    }
    expect((await request(`${at(example, 'x'.repeat(65))}/stats`)).status).toBe(400);
    expect((await request(`${example.url}/%E0%A4%A/stats`)).status).toBe(400);
    expect((await request(`${at(example, 'b')}/stats`)).status).toBe(200);
    expect((await request(`${at(example, 'c')}/stats`)).status).toBe(503);
    expect((await request(`${base}/nothing`)).status).toBe(404);
    await postJson(`${base}/notify/ann`, { event: 'news', data: 1 });
    await stream.event('news');
  });

  it('ends by SIGTERM with code 0', async () => {
    await expectCleanEnd('multitenant.js', {}, '/a/sse?userId=ann');
  });
});
