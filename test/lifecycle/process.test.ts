import { expect, it } from 'vitest';
import { runScript } from '../helpers/child.js';

it('lets the process exit by itself after a shutdown with connections', async () => {
  const { code, stdout, stderr } = await runScript(`
    import http from 'node:http';
    import { SSEKify } from 'ssekify';
    const sse = new SSEKify();
    const server = http.createServer((req, res) => sse.registerConnection('ann', res));
    server.listen(0, async () => {
      const request = http.get({ port: server.address().port, agent: false }, (response) => {
        response.on('data', async (data) => {
          if (!String(data).startsWith('retry: 2000')) return;
          server.close();
          await sse.shutdown({ graceMs: 60000 });
          console.log('over');
        });
      });
    });
  `);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'over\n', stderr: '' });
});

it('keeps no process alive: neither a hub that was never used, nor one that only remembers', async () => {
  const { code, stderr } = await runScript(`
    import { SSEKify } from 'ssekify';
    new SSEKify();
    const sse = new SSEKify();
    for (let n = 0; n < 10; n += 1) sse.sendToUser(n + 1, { n, requestId: n, final: true });
    sse.publish('x');
  `);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

it('survives publish rejections that nobody awaits, and warns of the first', async () => {
  const { code, stdout, stderr } = await runScript(`
    import { SSEKify } from 'ssekify';
    const sse = new SSEKify();
    sse.publish(undefined);
    sse.publish('x', '');
    sse.publishToUser(null, 'x');
    sse.publishToRoom('', 'x');
    sse.publish('x', 'ann', { event: 'a\\nb' });
    await sse.shutdown();
    sse.publish('late');
    sse.ready();
    setTimeout(() => console.log('alive', sse.stats().errorCount), 50);
  `);
  expect(stderr.match(/SSEKifyWarning/g)).toHaveLength(1);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'alive 6\n' });
});

it('lets a worker of a cluster exit when it was disconnected after the shutdown', async () => {
  const { code, stdout, stderr } = await runScript(`
    import cluster from 'node:cluster';
    import http from 'node:http';
    import { SSEKify } from 'ssekify';
    if (cluster.isPrimary) {
      cluster.fork().on('listening', ({ port }) => {
        http.get({ port, agent: false }, (response) => response.resume().on('end', () => console.log('ended')));
      });
      cluster.on('exit', (worker, code) => console.log('exit', code, worker.exitedAfterDisconnect));
    } else {
      const sse = new SSEKify();
      const server = http.createServer((req, res) => sse.registerConnection('ann', res));
      sse.on('connect', async () => {
        server.close();
        await sse.shutdown();
        cluster.worker.disconnect();
      });
      server.listen(0);
    }
  `);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.split('\n').sort()).toEqual(['', 'ended', 'exit 0 true']);
});
