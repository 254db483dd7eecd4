import { expect } from 'vitest';
import { openStream } from '../../helpers/client.js';
import { json, type Run } from './context.js';
import { onRedis, onSentinels, SERVE_ANN } from './redis.js';

/** Lossless mode. */
export const LOSSLESS_RUNS: Readonly<Record<string, Run>> = {
  lossless: onRedis({
    after: SERVE_ANN,
    async drive(program, redis, again) {
      await program.printed('subscribed');
      const client = redis.client();
      const log = () => client.xrange('{ssekify:bus}:log', '-', '+');
      const events = async () => (await log()).filter(([, fields]) => fields[0] === 'm');
      const appended = await events();
      expect(appended).toHaveLength(1);
      program.signal('SIGKILL');
      await program.exited();
      const other = again('lossless');
      await other.printed('subscribed');
      // It published with the same key.
      expect(await events()).toEqual(appended);
      await client.xadd('{ssekify:bus}:log', '*', 'm', '{"type":"user","target":"ann","data":"later"}');
      const [[beginning = ''] = []] = await log();
      const stream = await openStream(await other.url(), { lastEventId: beginning });
      await stream.until(({ raw }) => raw.includes('later'));
      const heard = stream.events.filter(({ event }) => event !== 'server:cursor');
      expect(heard.map(({ id, data }) => [id, json(data)])).toMatchObject([
        [appended[0]?.[0], { paid: true }],
        [expect.any(String), 'later'],
      ]);
    },
  }),

  'lossless-retry': onRedis({
    after: `${SERVE_ANN}process.on('SIGUSR2', () => {
  publishOnce('ann', 'important', 'once').then(({ id }) => console.log('appended as', id));
});`,
    async drive(program, redis, again) {
      const other = again('lossless-retry');
      await Promise.all([program.printed('subscribed'), other.printed('subscribed')]);
      const clients = [await openStream(await program.url()), await openStream(await other.url())];
      await redis.kill();
      await program.printed('BUS_DOWN');
      program.signal('SIGUSR2');
      await redis.start();
      await program.printed('appended as');
      other.signal('SIGUSR2');
      await other.printed('appended as');
      const id = /appended as (\S+)/.exec(program.output)?.[1];
      expect(other.output).toContain(`appended as ${id}`);
      for (const client of clients) {
        await client.until(({ events }) => events.some((event) => event.id === id));
        expect(client.events.filter(({ data }) => data === '"important"')).toHaveLength(1);
      }
    },
  }),

  'lossless-sentinel': onSentinels('lossless-sentinel'),
};
