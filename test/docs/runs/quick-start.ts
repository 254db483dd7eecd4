import { expect } from 'vitest';
import { openStream } from '../../helpers/client.js';
import { BROWSER, json, post, type Run } from './context.js';

/** The first example, the quick start and the browser. */
export const QUICK_START_RUNS: Readonly<Record<string, Run>> = {
  first: {
    async drive(program) {
      const url = await program.url();
      const client = await openStream(`${url}/sse`);
      expect(await post(`${url}/hello`)).toEqual({ reached: 1 });
      expect(json((await client.event('greeting')).data)).toMatchObject({ hello: 'Ann' });
    },
  },

  express: {
    async drive(program) {
      const url = await program.url();
      const ann = await openStream(`${url}/sse?userId=ann&rooms=news,,sports`);
      const bob = await openStream(`${url}/sse?userId=bob`);
      expect(await post(`${url}/notify/ann`, { n: 1 })).toEqual({ reached: 1 });
      expect(await post(`${url}/room/news`, { n: 2 })).toEqual({ reached: 1 });
      expect(await post(`${url}/broadcast`, { n: 3 })).toEqual({ reached: 2 });
      const [first, second, third] = await ann.received(3);
      expect(first?.event).toBe('notify');
      expect([first, second, third].map((event) => json(event?.data))).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
      const { id } = ann.events[1] ?? {};
      ann.close();
      await post(`${url}/notify/ann`, { n: 4 });
      const again = await openStream(`${url}/sse?userId=ann`, { lastEventId: id ?? '' });
      expect((await again.received(2)).map(({ data }) => json(data))).toMatchObject([{ n: 3 }, { n: 4 }]);
      expect(await bob.received(1)).toHaveLength(1);
    },
  },

  browser: {
    before: BROWSER,
    env: async () => ({ BASE: 'http://127.0.0.1:1' }),
    async drive(_, start) {
      const url = await start('express').url();
      const page = start('browser', { BASE: url, LAST_ID: 'not-known' });
      await page.printed('reload');
      await post(`${url}/notify/ann`, { n: 1 });
      await post(`${url}/room/news`, { n: 2 });
      await page.printed('notify { n: 1');
      await page.printed('message { n: 2');
      expect(page.output).not.toContain('message { n: 1');
    },
  },
};
