import { expect } from 'vitest';
import { openStream } from '../../helpers/client.js';
import { startCluster } from '../../helpers/cluster.js';
import { HUB, json, type Run } from './context.js';
import { CROSS, crossOver, onRedis, onSentinels, SERVE_ANN } from './redis.js';

/** Sections about more than one instance. */
export const ACROSS_RUNS: Readonly<Record<string, Run>> = {
  redis: onRedis({
    after: SERVE_ANN,
    async drive(program, _, again) {
      await program.printed('subscribed');
      const client = await openStream(await program.url());
      again('redis');
      expect(json((await client.event('greeting')).data)).toMatchObject({ hello: 'wherever you are' });
    },
  }),

  retry: onRedis({
    after: `${SERVE_ANN}process.on('SIGUSR2', () => {
  publishForSure('ann', 'important').then(() => console.log('published'));
});`,
    async drive(program, redis, again) {
      const other = again('retry');
      await Promise.all([program.printed('subscribed'), other.printed('subscribed')]);
      const [here, there] = [await openStream(await program.url()), await openStream(await other.url())];
      await redis.kill();
      await program.printed('BUS_DOWN');
      program.signal('SIGUSR2');
      await program.printed('PUBLISH_REFUSED');
      const [event] = await here.received(1);
      await redis.start();
      await program.printed('published');
      // Redis took it: whoever is subscribed by then gets it, and Ann here has it already.
      expect(here.events).toEqual([event]);
      expect(there.events.filter(({ id }) => id !== event?.id)).toEqual([]);
    },
  }),

  'after-outage': onRedis({
    before: HUB.replace('SSEKify()', "SSEKify({ redis: 'redis://localhost:6379', retryMs: 10 })"),
    after: `${SERVE_ANN}await sse.publishToUser('ann', 'before');`,
    async drive(program, redis) {
      await program.printed('subscribed');
      const url = await program.url();
      const client = await openStream(url);
      const publisher = redis.client();
      await publisher.publish('ssekify:bus', '{"type":"user","target":"ann","id":"seen","data":"seen"}');
      await client.until(({ lastEventId }) => lastEventId === 'seen');
      await publisher.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await client.over;
      expect(client.ended).toBe(true);
      const again = await openStream(url, { lastEventId: 'seen' });
      expect(json((await again.event('server:gap')).data)).toMatchObject({ lastEventId: 'seen' });
    },
  }),

  'own-adapter': {
    after: `
const http = await import('node:http');
http.createServer((req, res) => {
  other.registerConnection('ann', res);
  one.publishToUser('ann', { streamId: 's' }, { event: 'from-one' });
}).listen(3000);
one.on('error', (error) => console.log(error.code));`,
    async drive(program) {
      const client = await openStream(await program.url());
      expect(json((await client.event('from-one')).data)).toMatchObject({ streamId: 's', seq: 0 });
      await program.printed('SEQ_KV_FALLBACK');
    },
  },

  business: onRedis({
    async drive(first, _, again) {
      expect(await first.exited()).toBe(0);
      const entry = again('redis');
      await entry.printed('subscribed');
      const client = await openStream(await entry.url());
      const program = again('business');
      expect(json((await client.event('job:done')).data)).toMatchObject({ result: 42 });
      expect({ code: await program.exited(), output: program.output }).toEqual({ code: 0, output: '' });
    },
  }),

  tenants: onRedis({
    after: `
const http = await import('node:http');
http.createServer((req, res) => {
  const tenant = String(req.url).slice(1);
  hubOf(tenant).registerConnection('ann', res);
  hubOf(tenant).publishToUser('ann', { streamId: 's', tenant }, { event: 'told' });
}).listen(3000);`,
    async drive(program, redis) {
      const url = await program.url();
      const clients = [await openStream(`${url}/one`), await openStream(`${url}/__proto__`)];
      for (const [index, tenant] of ['one', '__proto__'].entries()) {
        const event = await clients[index]?.event('told');
        expect(json(event?.data)).toMatchObject({ tenant, seq: 0 });
      }
      expect(clients.map(({ events }) => events.length)).toEqual([1, 1]);
      expect(await redis.client().call('PUBSUB', 'CHANNELS')).toHaveLength(2);
      expect(
        String(await redis.client().call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
          .trim()
          .split('\n'),
      ).toHaveLength(1);
    },
  }),

  sentinel: onSentinels('sentinel'),

  cluster: {
    redis: true,
    after: CROSS,
    async env() {
      const [first, second] = (await startCluster()).nodes;
      return { PORTS: JSON.stringify({ 7000: first?.port, 7001: second?.port }) };
    },
    async drive(program, start) {
      await crossOver(program, start('cluster', program.env));
    },
  },
};
