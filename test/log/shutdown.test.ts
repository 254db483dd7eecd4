import { expect, it } from 'vitest';
import { createRedisStreamAdapter, SSEKify } from '../../src/index.js';
import { runScript } from '../helpers/child.js';
import { openStream } from '../helpers/client.js';
import { dataOf, logHub, range, told, untilPlaced, untilTold } from '../helpers/log.js';
import { freePort, startRedis } from '../helpers/redis.js';
import { endWithTest, serveHub } from '../helpers/server.js';

const prelude = (port: number) => `
  import { createRedisStreamAdapter, SSEKify } from 'ssekify';
  process.chdir(${JSON.stringify(process.cwd())});
  const adapter = createRedisStreamAdapter('redis://127.0.0.1:${port}');
  const sse = new SSEKify({ redis: adapter });
`;

it('leaves no handle, so that the process ends by itself', async () => {
  const redis = await startRedis();
  const { code, stderr } = await runScript(`${prelude(redis.port)}
    await sse.ready();
    await sse.publish({ requestId: 'k' });
    await sse.shutdown();
  `);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

it('leaves none without Redis either', async () => {
  const { code, stdout } = await runScript(`${prelude(await freePort())}
    await sse.publish({ requestId: 'k' }).catch((error) => console.log(error.code, error.outcome, error.delivered));
    await sse.shutdown();
    await sse.publish(1).catch((error) => console.log(error.code));
    await sse.ready().catch((error) => console.log(error.code));
  `);
  expect({ code, stdout: stdout.trim().split('\n') }).toEqual({
    code: 0,
    stdout: ['PUBLISH_REFUSED refused 0', 'SHUTDOWN', 'SHUTDOWN'],
  });
});

it('writes nothing to the console of an adapter that no hub has yet', async () => {
  const { code, stdout, stderr } = await runScript(`
    import { createRedisStreamAdapter, SSEKify } from 'ssekify';
    process.chdir(${JSON.stringify(process.cwd())});
    const adapter = createRedisStreamAdapter('redis://127.0.0.1:${await freePort()}');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const sse = new SSEKify({ redis: adapter });
    await new Promise((resolve) => sse.on('error', ({ code }) => resolve(console.log(code))));
    await sse.shutdown();
  `);
  expect({ code, stdout: stdout.trim(), stderr }).toEqual({ code: 0, stdout: 'BUS_ERROR', stderr: '' });
});

it('tells who waits until it is ready that it was shut down', async () => {
  const redis = await startRedis();
  await redis.kill();
  const a = await logHub(redis.url, { early: true });
  const ready = a.sse.ready();
  await a.sse.shutdown();
  await expect(ready).rejects.toMatchObject({ code: 'SHUTDOWN' });
});

it('publishes first what waits for its turn', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  await a.sse.publishToUser('ann', { requestId: 'k' });
  // Its own serializer wants the number first, so that each waits for the one before it.
  const b = await logHub(redis.url, { hub: { serializer: (data) => JSON.stringify(data) } });
  const publishes = range(1, 20).map((n) => b.sse.publishToUser('ann', { n, requestId: 'k' }));
  await b.sse.shutdown();
  await Promise.all(publishes);
  await untilTold(client, 20);
  expect(dataOf(client).map(({ seq }) => seq)).toEqual(range(0, 20));
});

it('survives unawaited publishes while Redis dies', async () => {
  const redis = await startRedis();
  const { code, stdout, stderr } = await runScript(`${prelude(redis.port)}
    await sse.ready();
    for (let round = 0; round < 40; round += 1) {
      for (let n = 0; n < 20; n += 1) sse.publish(n % 2 === 0 ? { n } : { n, requestId: 'k' });
      if (round === 10) process.kill(${redis.pid}, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { refused, unanswered } = sse.stats().bus;
    console.log(refused + unanswered > 0);
    await sse.shutdown();
    sse.publish(1);
  `);
  expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: 'true' });
  expect(stderr.match(/SSEKifyWarning/g)).toHaveLength(1);
  expect(stderr).not.toMatch(/UnhandledPromise|Unhandled error/i);
});

it('says at construction what to install', async () => {
  const { stdout } = await runScript(`
    import { createRedisStreamAdapter } from 'ssekify';
    process.chdir('/');
    try {
      createRedisStreamAdapter('redis://127.0.0.1:1');
    } catch ({ code, message }) {
      console.log(code, message);
    }
  `);
  expect(stdout).toMatch(/^REDIS_CLIENT_MISSING createRedisStreamAdapter.* npm install ioredis\n$/);
});

it('ends its own connections of an adapter that another hub goes on with', async () => {
  const redis = await startRedis();
  const adapter = createRedisStreamAdapter(redis.url);
  const [a, b] = [await serveHub({ hub: { redis: adapter } }), await serveHub({ hub: { redis: adapter } })];
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  const client = await openStream(`${b.url}/ann`);
  await a.sse.publishToAll(1);
  await untilTold(client, 1);
  await a.sse.shutdown({ graceMs: 0 });
  await b.sse.publishToAll(2);
  await untilTold(client, 2);
  expect(told(client).map(({ data }) => data)).toEqual(['1', '2']);
  const connected = async () =>
    String(await redis.client().call('CLIENT', 'LIST'))
      .split('\n')
      .filter((line) => /cmd=(xread|eval)/.test(line));
  await expect.poll(async () => (await connected()).length).toBe(2);
});

it('ends all connections of an adapter that is closed, which stays so', async () => {
  const redis = await startRedis();
  const adapter = createRedisStreamAdapter(redis.url);
  const sse = new SSEKify({ redis: adapter });
  endWithTest(sse);
  sse.on('error', () => undefined);
  await sse.ready();
  await adapter.close();
  await expect.poll(() => sse.stats().bus.state).toBe('down');
  await expect(sse.publishToAll(1)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 0 });
  // Beyond the time after which what is silent is made anew.
  await new Promise((resolve) => setTimeout(resolve, 5500));
  const list = String(await redis.client().call('CLIENT', 'LIST'));
  expect(list).not.toMatch(/cmd=(xread|eval)/);
  const unused = createRedisStreamAdapter(redis.url);
  await unused.close();
});

it('tells clients of the end, and resumes them elsewhere', async () => {
  const redis = await startRedis();
  const [a, b] = [await logHub(redis.url), await logHub(redis.url)];
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  const over = a.sse.shutdown({ graceMs: 300 });
  await client.over;
  await b.sse.publishToAll(1);
  await over;
  const again = await openStream(`${b.url}/ann`, { lastEventId: client.lastEventId });
  await untilTold(again, 1);
  expect(told(client)).toMatchObject([{ event: 'server:shutdown' }]);
  expect(told(again)).toMatchObject([{ data: '1' }]);
});
