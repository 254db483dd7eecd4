import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { type Example, postJson, startScript } from '../helpers/example.js';
import { program } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';
import { expectBadBodiesRefused, expectBadUsersRefused, expectCleanEnd, liveStream, subscribed } from './refusals.js';

const redis = program('redis-server');

const BAD_JOBS = [{ text: 'x' }, { userId: '', text: 'x' }, { userId: ['ann'], text: 'x' }, { userId: 'ann' }];

/** One business service, and as many entry services as asked for, on a Redis of their own. */
async function startServices(entries: number): Promise<{ business: Example; entry: Example[] }> {
  const { url } = await startRedis();
  const start = async (script: string, env: Readonly<Record<string, string>> = {}) => {
    const example = await startScript(script, { REDIS_URL: url, SSE_CHANNEL: 'jobs', JOB_MS: '20', ...env });
    atEnd(example.stop);
    await subscribed(example);
    return example;
  };
  const business = await start('dev:cross:redis:b');
  const starting = Array.from({ length: entries }, () => start('dev:cross:redis:a', { BUSINESS_URL: business.url }));
  return { business, entry: await Promise.all(starting) };
}

describe.skipIf(redis.skip)('npm run dev:cross:redis:a and :b', () => {
  it("bring a job's result to its user's streams, whichever instance holds them, and to nobody else", async () => {
    const { entry } = await startServices(2);
    const [first, second] = entry;
    const streams = await Promise.all(entry.map(({ url }) => liveStream(`${url}/sse?userId=ann`)));
    const other = await liveStream(`${second?.url}/sse?userId=bob`);
    const answer = await postJson(`${first?.url}/start`, { userId: 'ann', text: 'hello' });
    expect(answer.status).toBe(202);
    const { requestId } = answer.json();
    for (const stream of streams) {
      const { data } = await stream.event('job:done');
      expect(JSON.parse(data)).toMatchObject({ requestId, phase: 'done', result: 'HELLO', seq: 0 });
    }
    await postJson(`${first?.url}/start`, { userId: 'bob', text: 'bye' });
    expect(JSON.parse((await other.event('job:done')).data)).toMatchObject({ result: 'BYE' });
    expect(other.events.map(({ event }) => event)).toEqual(['live', 'job:done']);
  });

  it('refuse bad input with 4xx, and streams go on', async () => {
    const { business, entry } = await startServices(1);
    const url = entry[0]?.url ?? '';
    const stream = await liveStream(`${url}/sse?userId=ann`);
    await expectBadUsersRefused(`${url}/sse`);
    await expectBadBodiesRefused(`${url}/start`, BAD_JOBS);
    await expectBadBodiesRefused(`${business.url}/process`, BAD_JOBS);
    await postJson(`${url}/start`, { userId: 'ann', text: 'still here' });
    await stream.event('job:done');
  });

  it('say 502 when the business service is not there', async () => {
    const { business, entry } = await startServices(1);
    await business.stop();
    const answer = await postJson(`${entry[0]?.url}/start`, { userId: 'ann', text: 'hello' });
    expect(answer.status).toBe(502);
    expect(answer.json().error).toContain('cannot be reached');
  });

  it('end by SIGTERM with code 0, with Redis and without', async () => {
    const { url } = await startRedis();
    for (const REDIS_URL of [url, 'redis://127.0.0.1:1']) {
      await expectCleanEnd('cross-redis-a.js', { REDIS_URL }, '/sse?userId=ann');
      await expectCleanEnd('cross-redis-b.js', { REDIS_URL });
    }
  });
});
