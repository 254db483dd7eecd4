import { expect } from 'vitest';
import { SSEKify } from '../../../src/index.js';
import { atEnd } from '../../helpers/cleanup.js';
import { openStream } from '../../helpers/client.js';
import { serve } from '../../helpers/server.js';
import { blockNamed } from '../markdown.js';
import { BROWSER, json, post, type Run, SERVE_RECENT } from './context.js';

/** The output of models and jobs. */
export const TASK_RUNS: Readonly<Record<string, Run>> = {
  'task-job': {
    after: SERVE_RECENT,
    async drive(program) {
      const client = await openStream(await program.url(), { lastEventId: 'not-known' });
      const [, ...events] = await client.received(4);
      const shown = blockNamed('task-events').code.split('\n').map(json);
      expect(events.map(({ event }) => event)).toEqual(shown.map(() => 'notify'));
      expect(events.map(({ data }) => json(data))).toEqual(
        shown.map((data) => ({ ...Object(data), timestamp: expect.any(String) })),
      );
    },
  },

  'task-chat': {
    async drive(program) {
      const url = await program.url();
      const client = await openStream(`${url}/sse?userId=ann`);
      const question = { userId: 'ann', requestId: 'r1', prompt: 'hello' };
      expect(await post(`${url}/chat`, question)).toEqual({ requestId: 'r1' });
      const events = await client.received(4);
      expect(events.map(({ data }) => json(data))).toMatchObject([
        { requestId: 'r1', event: 'progress', payload: 'You ' },
        { requestId: 'r1', event: 'progress', payload: 'said: ' },
        { requestId: 'r1', event: 'progress', payload: 'hello' },
        { requestId: 'r1', event: 'done' },
      ]);
    },
  },

  'task-browser': {
    before: BROWSER,
    async env() {
      const sse = new SSEKify();
      const { url } = await serve(async (req, res) => {
        if (req.method === 'GET') {
          sse.registerConnection('ann', res);
          return;
        }
        let body = '';
        for await (const chunk of req) body += chunk;
        res.setHeader('connection', 'close').end('{}');
        const { userId, requestId, prompt } = JSON.parse(body);
        while (!sse.isUserOnline('ann')) await new Promise((resolve) => sse.once('connect', resolve));
        await sse.publishToUser(userId, { event: 'ping' }, { event: 'notify' });
        await sse.task(userId, { requestId }).pipe(['I heard ', prompt]);
      });
      atEnd(() => sse.shutdown({ graceMs: 0 }));
      return { BASE: url };
    },
    async drive(program) {
      await program.printed('progress I heard \nprogress hello\ndone undefined');
    },
  },
};
