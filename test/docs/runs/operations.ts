import { once } from 'node:events';
import http from 'node:http';
import zlib from 'node:zlib';
import { EventSource } from 'eventsource';
import { expect } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import { openStream } from '../../helpers/client.js';
import { connectRaw } from '../../helpers/raw-client.js';
import { EXPRESS, firstRecorded, get, greeted, json, LISTEN, type Run, SERVE_RECENT } from './context.js';

/** Compression and the recipes. */
export const OPERATIONS_RUNS: Readonly<Record<string, Run>> = {
  compression: {
    after: "app.get('/send', (req, res) => { res.json(sse.sendToUser('ann', 'hello')); });",
    async drive(program) {
      const url = await program.url();
      const request = http.get(`${url}/sse`, { headers: { 'accept-encoding': 'gzip' }, agent: false });
      atEnd(() => request.destroy());
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      expect(response.headers['content-encoding']).toBe('gzip');
      expect(await get(`${url}/send`)).toMatchObject({ text: '1' });
      let text = '';
      for await (const chunk of response.pipe(zlib.createGunzip()).setEncoding('utf8')) {
        text += chunk;
        if (text.includes('data: "hello"')) break;
      }
      expect(text).toContain('retry: 2000');
    },
  },

  'headers-sent': {
    before: `${EXPRESS}const userOf = async (req) => (req.query.id ? { id: String(req.query.id), name: 'Ann' } : undefined);`,
    after: `
app.get('/json', (req, res) => {
  sse.registerConnection('ann', res);
  try { res.json({ ok: true }); } catch (error) { sse.sendToUser('ann', Reflect.get(Object(error), 'code')); }
});
app.get('/next', (req, res, next) => {
  sse.registerConnection('ann', res);
  next(new Error('too late'));
});
${LISTEN}`,
    async drive(program) {
      const url = await program.url();
      expect(await get(`${url}/sse`)).toEqual({ status: 401, text: '{"error":"sign in first"}' });
      const client = await openStream(`${url}/sse?id=ann`);
      expect(json((await client.received(1))[0]?.data)).toMatchObject({ hello: 'Ann' });
      await greeted(program, 'ERR_HTTP_HEADERS_SENT', '/json');
      const cut = await openStream(`${url}/next`);
      await cut.over;
      expect(cut.ended).toBe(false);
    },
  },

  'no-content': {
    before: `${EXPRESS.replace('SSEKify()', 'SSEKify({ retryMs: 10 })')}let finished = false;\nconst isFinished = (req) => finished;`,
    after: `
sse.on('connect', () => {
  finished = true;
  sse.close();
});
${LISTEN}`,
    async drive(program) {
      const source = new EventSource(`${await program.url()}/sse`);
      atEnd(() => source.close());
      const codes: (number | undefined)[] = [];
      while (source.readyState !== EventSource.CLOSED) {
        const event = await new Promise<{ code?: number | undefined }>((resolve) => {
          source.onerror = resolve;
        });
        codes.push(event.code);
      }
      // First the clean end, after which it reconnects; then the 204, after which it does not.
      expect(codes).toEqual([undefined, 204]);
    },
  },

  slow: { after: 'console.log(sse.stats().connections);' },
  throughput: { after: 'console.log(sse.stats().connections);' },

  serializer: {
    after: SERVE_RECENT,
    async drive(program) {
      expect(await firstRecorded(program)).toMatch(
        /^\{"name":"root","parent":\{"name":"root","parent":"\[circular\]","size":10\},"size":10,"timestamp":"[^"]+"\}$/,
      );
    },
  },

  sigterm: {
    async drive(program) {
      const client = await openStream(`${await program.url()}/sse`);
      await client.until(({ retries }) => retries.length === 1);
      // One of a proxy's, with a request under way.
      const kept = await connectRaw(Number(new URL(await program.url()).port));
      kept.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
      program.signal('SIGTERM');
      expect(json((await client.event('server:shutdown')).data)).toMatchObject({ code: 'SHUTDOWN' });
      kept.socket.write('\r\n');
      await kept.until((text) => text.includes('Connection: close'));
      kept.socket.end();
      await client.over;
      expect(client.ended).toBe(true);
      expect(client.retries).toHaveLength(2);
      expect(await program.exited()).toBe(0);
    },
  },
};
