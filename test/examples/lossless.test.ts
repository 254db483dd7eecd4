import type { Browser, Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacksBrowser, launchBrowser } from '../helpers/browser.js';
import { atEnd } from '../helpers/cleanup.js';
import { type Subscriber, subscribe } from '../helpers/event-source.js';
import { type Example, postJson, startScript } from '../helpers/example.js';
import { program } from '../helpers/programs.js';
import { freePort, startRedis } from '../helpers/redis.js';
import { expectBadUsersRefused, expectCleanEnd, liveStream, subscribed } from './refusals.js';

const redis = program('redis-server');

/** Starts instances on a Redis of their own; each can be started again where it was. */
async function startInstances(): Promise<{ redisUrl: string; start(port: number): Promise<Example> }> {
  const { url } = await startRedis();
  return {
    redisUrl: url,
    async start(port) {
      const example = await startScript('dev:lossless', { REDIS_URL: url, PORT: String(port), SSE_RETRY_MS: '50' });
      atEnd(example.stop);
      await subscribed(example);
      return example;
    },
  };
}

const count = async (instance: Example, times: number, everyMs: number) => {
  const answer = await postJson(`${instance.url}/count`, { times, everyMs });
  expect(answer.status).toBe(202);
};

const numbersOf = (client: Subscriber) => client.data('count').map((data) => Number(Reflect.get(Object(data), 'seq')));
const upTo = (end: number) => Array.from({ length: end }, (_, n) => n);
const hasHeard = (number: number) => (client: Subscriber) => numbersOf(client).some((each) => each >= number);

const NAMES = ['live', 'count', 'server:gap'];

describe.skipIf(redis.skip)('npm run dev:lossless', () => {
  it('can be killed and started again while others count, and a client gets each number once', async () => {
    const { start } = await startInstances();
    const [port, otherPort] = [await freePort(), await freePort()];
    const [first, other] = await Promise.all([start(port), start(otherPort)]);
    const client = subscribe(`${first.url}/sse?userId=ann`, NAMES);
    await client.event('live');
    await count(other, 600, 10);
    await client.until(hasHeard(50));
    await first.stop();
    const heardBefore = numbersOf(client).length;
    expect(heardBefore).toBeLessThan(600);
    await start(port);
    await client.until(hasHeard(599));
    expect(numbersOf(client)).toEqual(upTo(600));
    expect(client.losses).toBeGreaterThan(0);
    expect(client.resumedAfter.at(-1)).toMatch(/^\d+-\d+$/);
    expect(client.data('server:gap')).toEqual([]);
  });

  it('counts on where a publisher was killed, and leaves out no number', async () => {
    const { start } = await startInstances();
    const [port, otherPort] = [await freePort(), await freePort()];
    const [first, other] = await Promise.all([start(port), start(otherPort)]);
    const clients = [first, other].map(({ url }) => subscribe(`${url}/sse?userId=ann`, NAMES));
    for (const client of clients) await client.event('live');
    await count(first, 100_000, 1);
    for (const client of clients) await client.until(hasHeard(20));
    await first.stop();
    // What it had under way is in the log by now, or never.
    const again = await start(port);
    const began = Math.max(...clients.flatMap(numbersOf)) + 1;
    await count(again, 50, 0);
    const end = began + 49;
    for (const client of clients) {
      await client.until(hasHeard(end));
      const numbers = numbersOf(client);
      expect(numbers).toEqual(upTo(numbers.length));
      expect(numbers.length).toBeGreaterThan(end);
      expect(client.data('server:gap')).toEqual([]);
    }
  });

  it('lets a client that was away while every instance was dead resume on another', async () => {
    const { start } = await startInstances();
    const [port, otherPort] = [await freePort(), await freePort()];
    const first = await start(port);
    const client = await liveStream(`${first.url}/sse?userId=ann`);
    await count(first, 3, 0);
    await client.until(({ events }) => events.filter(({ event }) => event === 'count').length === 3);
    const position = client.events.filter(({ event }) => event === 'count')[0]?.id;
    await first.stop();
    const other = await start(otherPort);
    const again = subscribe(`${other.url}/sse?userId=ann&lastEventId=${position}`, NAMES);
    await count(other, 2, 0);
    await again.until(hasHeard(4));
    expect(numbersOf(again)).toEqual([1, 2, 3, 4]);
  });

  it('refuses bad input with 4xx, and streams go on', async () => {
    const { start } = await startInstances();
    const instance = await start(0);
    const client = await liveStream(`${instance.url}/sse?userId=ann`);
    await expectBadUsersRefused(`${instance.url}/sse`);
    for (const body of [{ times: 0 }, { times: 1.5 }, { times: 'many' }, { times: 100_001 }, { everyMs: -1 }]) {
      expect((await postJson(`${instance.url}/count`, body)).status, JSON.stringify(body)).toBe(400);
    }
    await count(instance, 1, 0);
    expect(JSON.parse((await client.event('count')).data)).toMatchObject({ seq: 0 });
  });

  it('ends by SIGTERM with code 0', async () => {
    const { redisUrl } = await startInstances();
    await expectCleanEnd('lossless.js', { REDIS_URL: redisUrl }, '/sse?userId=ann');
  });

  describe.skipIf(lacksBrowser)('its page', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchBrowser();
    });
    afterAll(() => browser?.close());

    it('shows that no number was missing or doubled when its server was killed and started again', async () => {
      const { start } = await startInstances();
      const [port, otherPort] = [await freePort(), await freePort()];
      const [first, other] = await Promise.all([start(port), start(otherPort)]);
      const page = await browser.newPage();
      atEnd(() => page.close());
      await page.goto(first.url);
      const shows = (id: string, text: string): Promise<void> => output(id).getByText(text, { exact: true }).waitFor();
      const output = (id: string): Locator => page.locator('dd').filter({ has: page.locator(`#${id}`) });
      await shows('state', 'live');
      await count(other, 400, 10);
      await page.waitForFunction('totals.heard >= 50');
      await first.stop();
      await shows('state', 'lost');
      await start(port);
      await shows('last', '399');
      expect(await page.evaluate('totals')).toEqual({ heard: 400, missing: 0, doubled: 0, gaps: 0 });
      await page.getByRole('button').click();
      await page.waitForFunction('totals.heard > 400');
    });
  });
});
