import { expect } from 'vitest';
import { openStream } from '../../helpers/client.js';
import { json, post, type Run } from './context.js';

/** What others' programs become. */
export const MIGRATION_RUNS: Readonly<Record<string, Run>> = {
  'better-sse-after': {
    async drive(program) {
      const url = await program.url();
      const client = await openStream(`${url}/sse`);
      expect(json((await client.event('greeting')).data)).toMatchObject({ hello: 'Ann' });
      expect(await post(`${url}/news`, { title: 'Extra' })).toEqual({ reached: 1 });
      expect(json((await client.event('headline')).data)).toMatchObject({ title: 'Extra' });
      expect(client.retries).toEqual([3000]);
    },
  },

  'sse-channels-after': {
    async drive(program) {
      const url = await program.url();
      const client = await openStream(`${url}/match/7`);
      await client.until(({ comments }) => comments.includes('OK'));
      expect(await post(`${url}/match/7/goal`, { by: 'Eve' })).toEqual({ reached: 1 });
      expect(await post(`${url}/match/8/goal`, { by: 'Bob' })).toEqual({ reached: 0 });
      const goal = await client.event('goal');
      client.close();
      expect(await post(`${url}/match/7/goal`, { by: 'Ann' })).toEqual({ reached: expect.any(Number) });
      const again = await openStream(`${url}/match/7`, { lastEventId: goal.id ?? '' });
      expect(json((await again.event('goal')).data)).toMatchObject({ by: 'Ann' });
    },
  },

  'egg-sse-after': {
    after: "if (exports.sse.package !== 'ssekify/egg') throw new Error('another plugin');",
  },

  'options-told': {
    async drive(program) {
      expect(await program.exited()).toBe(0);
      expect(program.output).toMatch(/^INVALID_OPTION\noptions\["heartbeatInterval"\] .*keepAliveMs/);
    },
  },

  'by-hand-after': {
    async drive(program) {
      const client = await openStream(await program.url());
      expect(json((await client.event('tick')).data)).toMatchObject({ at: expect.any(Number) });
    },
  },
};
