import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { type Example, postJson, startScript } from '../helpers/example.js';
import { freePort } from '../helpers/redis.js';
import { expectBadBodiesRefused, expectBadUsersRefused, expectCleanEnd, liveStream } from './refusals.js';

/** The two call each other, so that the address of one must be known before it starts. */
async function startServices(): Promise<{ entry: Example; business: Example }> {
  const port = String(await freePort());
  const env = { JOB_MS: '20' };
  const business = await startScript('dev:cross:cb:b', { ...env, ENTRY_URL: `http://localhost:${port}/` });
  atEnd(business.stop);
  const entry = await startScript('dev:cross:cb:a', { ...env, PORT: port, BUSINESS_URL: business.url });
  atEnd(entry.stop);
  return { entry, business };
}

describe('npm run dev:cross:cb:a and :b', () => {
  it("bring a job's result to its user's streams and to nobody else", async () => {
    const { entry } = await startServices();
    const ann = await liveStream(`${entry.url}/sse?userId=ann`);
    const bob = await liveStream(`${entry.url}/sse?userId=bob`);
    const answer = await postJson(`${entry.url}/start`, { userId: 'ann', text: 'hello' });
    expect(answer.status).toBe(202);
    const { requestId } = answer.json();
    const { data } = await ann.event('job:done');
    expect(JSON.parse(data)).toMatchObject({ requestId, phase: 'done', result: 'HELLO' });
    const fanout = await postJson(`${entry.url}/fanout`, { userId: 'bob', event: 'job:done', data: 1 });
    expect(fanout.json()).toEqual({ reached: 1 });
    await bob.event('job:done');
    expect(bob.events.map(({ event }) => event)).toEqual(['live', 'job:done']);
  });

  it('refuse bad input with 4xx, and streams go on', async () => {
    const { entry, business } = await startServices();
    const stream = await liveStream(`${entry.url}/sse?userId=ann`);
    await expectBadUsersRefused(`${entry.url}/sse`);
    const badJobs = [{ text: 'x' }, { userId: '', text: 'x' }, { userId: {}, text: 'x' }, { userId: 'ann', text: 1 }];
    await expectBadBodiesRefused(`${entry.url}/start`, badJobs);
    await expectBadBodiesRefused(`${business.url}/process`, badJobs);
    await expectBadBodiesRefused(`${entry.url}/fanout`, [
      { data: 1 },
      { userId: '', data: 1 },
      { userId: 'ann' },
      { userId: 'ann', data: 1, event: 'two\nlines' },
    ]);
    await postJson(`${entry.url}/start`, { userId: 'ann', text: 'still here' });
    await stream.event('job:done');
  });

  it('end by SIGTERM with code 0', async () => {
    await expectCleanEnd('cross-callback-a.js', {}, '/sse?userId=ann');
    await expectCleanEnd('cross-callback-b.js', {});
  });
});
