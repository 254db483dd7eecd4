import { expect, it } from 'vitest';
import { runScript } from '../helpers/child.js';
import { freePort, startRedis } from '../helpers/redis.js';

const adapters = ['createIORedisAdapter', 'createNodeRedisAdapter'];

const prelude = (make: string, port: number) => `
  import { ${make}, SSEKify } from 'ssekify';
  process.chdir(${JSON.stringify(process.cwd())});
  const sse = new SSEKify({ redis: ${make}('redis://127.0.0.1:${port}') });
`;

it.each(adapters)('ends by itself after shutdown, with %s', async (make) => {
  const redis = await startRedis();
  const { code, stderr } = await runScript(`${prelude(make, redis.port)}
    await sse.ready();
    await sse.publish({ requestId: 'k' });
    await sse.shutdown();
  `);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

it.each(adapters)('ends by itself after shutdown without Redis, with %s', async (make) => {
  const { code, stdout } = await runScript(`${prelude(make, await freePort())}
    await sse.publish({ requestId: 'k' }).catch((error) => console.log(error.code));
    await sse.shutdown();
  `);
  expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: 'PUBLISH_REFUSED' });
});

it.each(['createIORedisAdapter', 'createRedisStreamAdapter'])(
  'ends by itself after shutdown while Redis loads its data, with %s',
  async (make) => {
    const { code, stderr } = await runScript(`
      import { once } from 'node:events';
      import net from 'node:net';
      import { ${make}, SSEKify } from 'ssekify';
      process.chdir(${JSON.stringify(process.cwd())});
      const info = 'loading:1\\r\\nloading_eta_seconds:3600\\r\\n';
      const server = net.createServer((socket) => {
        socket.on('error', () => undefined);
        socket.on('data', (bytes) => {
          for (const [, command] of String(bytes).matchAll(/\\*\\d+\\r\\n\\$\\d+\\r\\n(\\w+)/g)) {
            const isInfo = command.toLowerCase() === 'info';
            socket.write(isInfo ? '$' + info.length + '\\r\\n' + info + '\\r\\n' : '+OK\\r\\n');
            if (isInfo) server.emit('asked');
          }
        });
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address();
      const sse = new SSEKify({ redis: ${make}({ port, protocol: 2, maxLoadingRetryTime: 3_600_000 }) });
      await once(server, 'asked');
      await once(server, 'asked');
      await sse.shutdown();
      server.close();
    `);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  },
);

it.each(adapters)('survives un-awaited publishes while Redis dies, with %s', async (make) => {
  const redis = await startRedis();
  const { code, stdout, stderr } = await runScript(`${prelude(make, redis.port)}
    await sse.ready();
    for (let round = 0; round < 50; round += 1) {
      for (let n = 0; n < 20; n += 1) sse.publish(n % 2 === 0 ? { n } : { n, requestId: 'k' });
      if (round === 10) process.kill(${redis.pid}, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    sse.ready();
    sse.publishClose('ann');
    const { refused, unanswered } = sse.stats().bus;
    console.log(refused + unanswered > 0);
    await sse.shutdown();
    sse.publish({ n: 1 });
    sse.ready();
  `);
  expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: 'true' });
  // The first error of a hub without a listener is a warning; there is no other.
  expect(stderr.match(/SSEKifyWarning/g)).toHaveLength(1);
  expect(stderr).not.toMatch(/UnhandledPromise|Unhandled error/i);
});

it('says at construction what to install', async () => {
  const { code, stdout } = await runScript(`
    import { createIORedisAdapter, createNodeRedisAdapter, SSEKify } from 'ssekify';
    process.chdir('/');
    for (const make of [
      () => new SSEKify({ redis: 'redis://127.0.0.1:1' }),
      () => createIORedisAdapter('redis://127.0.0.1:1'),
      () => createIORedisAdapter({ port: 1 }),
      () => createNodeRedisAdapter('redis://127.0.0.1:1'),
    ]) {
      try {
        make();
        console.log('made');
      } catch ({ name, code, message }) {
        console.log(name, code, /npm install (ioredis|redis)$/.test(message));
      }
    }
    new SSEKify();
    new SSEKify({ redis: null });
    new SSEKify({ redis: false });
    new SSEKify({ redis: '' });
  `);
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toEqual(Array(4).fill('SSEKifyError REDIS_CLIENT_MISSING true'));
});
