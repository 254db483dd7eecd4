import { expect } from 'vitest';
import { SSEKify } from '../../../src/index.js';
import { atEnd } from '../../helpers/cleanup.js';
import { openStream } from '../../helpers/client.js';
import { serve } from '../../helpers/server.js';
import { BROWSER, firstRecorded, HUB, json, PER_CLIENT, type Run, SERVE_RECENT } from './context.js';

/** Loading, types, API, options, events, seq, replay and errors. */
export const API_RUNS: Readonly<Record<string, Run>> = {
  esm: { after: "if (typeof sse.sendToAll !== 'function' || !SSEKifyError) throw new Error('not loaded');" },
  'bundle-banner': {
    after: "if (!require('node:fs').existsSync(__filename)) throw new Error('no file of that name');",
  },
  'esm-default': {
    after: `
const named = await import('ssekify');
if (named.SSEKify !== SSEKify || named.SSEKifyError !== SSEKifyError) throw new Error('another class');
if (sse.stats().connections !== 0) throw new Error('not loaded');`,
  },
  cjs: {
    after: `
import('ssekify').then((named) => {
  if (named.SSEKify !== SSEKify || named.SSEKifyError !== SSEKifyError) throw new Error('another class');
  if (sse.stats().connections !== 0) throw new Error('not loaded');
});`,
  },
  satisfies: {
    after: "const policy: 'disconnect' = options.connection.dropPolicy;\nconsole.log(sse.stats().sent, policy);",
  },
  typed: {},
  'typed-function': {},

  handle: {
    before: `import http from 'node:http';\n${HUB}http.createServer((req, res) => {`,
    after: '}).listen(3000);',
    async drive(program) {
      const client = await openStream(await program.url());
      await client.over;
      expect(client.ended).toBe(true);
      expect(client.events).toMatchObject([{ event: 'hello', id: undefined }]);
      expect(client.comments).toEqual(['no listener sees this']);
      await program.printed('false\n');
      expect(program.output).toMatch(/^\S+-1 ann \[ 'sports' \] undefined false$/m);
    },
  },

  send: {
    ...PER_CLIENT,
    async drive(program) {
      const events = await (await openStream(await program.url())).received(3);
      expect(events.map(({ event }) => event)).toEqual([undefined, 'headline', undefined]);
      expect(json(events[0]?.data)).toMatchObject({ text: 'hi' });
      expect(events[2]?.data).toBe('a line\nand another');
    },
  },

  publish: {
    ...PER_CLIENT,
    after: `console.log('id', id);\n}).listen(3000);`,
    async drive(program) {
      const events = await (await openStream(await program.url())).received(5);
      expect(events.map(({ data }) => Reflect.get(Object(json(data)), 'notice'))).toEqual([
        'for all',
        'for Ann',
        'the same, by name',
        'for a room',
        'everyone, by name',
      ]);
      expect(events[4]?.event).toBe('notice');
      await program.printed(`id ${events[4]?.id}`);
    },
  },

  'publish-close': {
    ...PER_CLIENT,
    before: `${PER_CLIENT.before}
const log = () => console.log('in', sse.getRoomConnectionCount('sports'));
const { publishJoin } = sse;
sse.publishJoin = (...args) => publishJoin.apply(sse, args).finally(log);`,
    async drive(program) {
      const client = await openStream(await program.url());
      await client.over;
      expect(client.ended).toBe(true);
      expect(client.events.map(({ event, data }) => [event, json(data)])).toEqual([
        ['server:close', { reason: 'signed-out' }],
      ]);
      await program.printed('in 1');
    },
  },

  'auto-fields': {
    after: SERVE_RECENT,
    async drive(program) {
      const data = json(await firstRecorded(program));
      expect(data).toEqual({ text: 'hi', timestamp: expect.any(Number), traceId: 'trace-1' });
    },
  },

  'room-options': {
    after: `
const { createServer } = await import('node:http');
createServer((req, res) => { sse.registerConnection('ann', res, { rooms: ['match:7', 'lobby'] }); }).listen(3000);`,
    async drive(program) {
      const client = await openStream(await program.url());
      await program.printed('first one in match:7');
      await program.printed('first one in lobby');
      client.close();
      await program.printed('nobody in lobby');
      expect(program.output).not.toContain('nobody in match:7');
    },
  },

  events: {
    before: HUB,
    after: `${SERVE_RECENT}\nsse.sendToAll(1n);`,
    async drive(program) {
      const client = await openStream(await program.url(), { lastEventId: 'not-known' });
      await program.printed('NOT_SERIALIZABLE');
      await program.printed('gap ann unknown');
      await program.printed('connect ann');
      client.close();
      await program.printed('disconnect ann client');
    },
  },

  seq: {
    ...PER_CLIENT,
    async drive(program) {
      const events = await (await openStream(await program.url())).received(3);
      expect(events.map(({ data }) => json(data))).toMatchObject([
        { text: 'Hel', seq: 0 },
        { text: 'lo', seq: 1 },
        { final: true, seq: 2 },
      ]);
    },
  },

  gap: {
    before: `${BROWSER}\nconst render = (state) => console.log('render', JSON.stringify(state));`,
    async env() {
      const sse = new SSEKify();
      const { url } = await serve((req, res) => {
        if (req.url === '/api/state') res.setHeader('connection', 'close').end('{"state":"all of it"}');
        else {
          sse.registerConnection('ann', res);
          sse.sendToUser('ann', { change: 1 }, { event: 'change' });
        }
      });
      atEnd(() => sse.shutdown({ graceMs: 0 }));
      return { BASE: url, LAST_ID: 'not-known' };
    },
    async drive(program) {
      await program.printed('history is missing: unknown');
      await program.printed('render {"state":"all of it"}');
      await program.printed('render {"change":1');
    },
  },

  errors: {
    drive: async (program) => {
      expect(await program.exited()).toBe(0);
      expect(program.output).toBe('no such user id\n');
    },
  },
};
