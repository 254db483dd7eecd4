import { EventSource } from 'eventsource';
import { expect } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import { openStream } from '../../helpers/client.js';
import { EXPRESS, get, json, LISTEN, type Run } from './context.js';
import { onRedis } from './redis.js';

/** Recipes of more than one connection: services, presence, log-out. */
export const RECIPE_RUNS: Readonly<Record<string, Run>> = {
  entry: onRedis({
    async drive(program, _, again) {
      const url = await program.url();
      expect(await get(`${url}/ready`)).toMatchObject({ status: 200 });
      const client = await openStream(`${url}/sse`);
      const job = again('job');
      const events = await client.received(4);
      expect(events.map(({ event }) => event)).toEqual([...Array(3).fill('job:progress'), 'job:done']);
      expect(events.map(({ data }) => Reflect.get(Object(json(data)), 'percent'))).toEqual([33, 67, 100, undefined]);
      expect(await job.exited()).toBe(0);
    },
  }),

  job: onRedis({
    async drive(program) {
      expect({ code: await program.exited(), output: program.output }).toEqual({ code: 0, output: '' });
    },
  }),

  presence: {
    async drive(program) {
      const url = await program.url();
      const ann = await openStream(`${url}/sse?userId=ann`);
      expect(json((await ann.event('presence:list')).data)).toEqual([]);
      const bob = await openStream(`${url}/sse?userId=bob`);
      expect(json((await bob.event('presence:list')).data)).toEqual(['ann']);
      const changes = () => ann.events.filter(({ event }) => event === 'presence').map(({ data }) => json(data));
      bob.close();
      // Back in time, and so never away.
      const again = await openStream(`${url}/sse?userId=bob`);
      await again.event('presence:list');
      again.close();
      await ann.until(() => changes().length === 3);
      expect(changes()).toMatchObject([
        { userId: 'ann', online: true },
        { userId: 'bob', online: true },
        { userId: 'bob', online: false },
      ]);
    },
  },

  'log-out': {
    before: `${EXPRESS.replace('SSEKify()', 'SSEKify({ retryMs: 10 })')}const sessions = new Map([['one', 'ann'], ['two', 'ann'], ['other', 'bob']]);`,
    after: LISTEN,
    async drive(program) {
      const url = await program.url();
      const open = (session: string) => {
        const source = new EventSource(`${url}/sse?session=${session}`);
        atEnd(() => source.close());
        const opened = new Promise((resolve) => source.addEventListener('open', resolve, { once: true }));
        const reason = new Promise((resolve) => {
          source.addEventListener('server:close', ({ data }) => resolve(json(data)), { once: true });
        });
        const stopped = new Promise<void>((resolve) => {
          source.addEventListener('error', () => {
            if (source.readyState === EventSource.CLOSED) resolve();
          });
        });
        return { source, opened, reason, stopped };
      };
      const [one, two, bob] = [open('one'), open('two'), open('other')];
      await Promise.all([one.opened, two.opened, bob.opened]);
      const answer = await fetch(`${url}/log-out?session=one`, { method: 'POST', headers: { connection: 'close' } });
      expect(answer.status).toBe(204);
      expect(await one.reason).toMatchObject({ reason: 'signed-out' });
      await Promise.all([one.stopped, two.stopped]);
      expect(bob.source.readyState).toBe(EventSource.OPEN);
    },
  },
};
