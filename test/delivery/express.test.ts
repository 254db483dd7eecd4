import express from 'express';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { next } from '../helpers/emitted.js';
import { endWithTest, serve } from '../helpers/server.js';

it('serves an Express application, whose own headers stay', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const app = express();
  app.use((_req, res, proceed) => {
    res.set('Access-Control-Allow-Origin', 'https://example.org');
    res.cookie('session', 'abc');
    proceed();
  });
  const router = express.Router();
  router.get('/sse', (req, res) => {
    sse.registerConnection(String(req.query.userId), res, { rooms: ['news'] });
  });
  app.use('/api', router);
  const { url } = await serve(app);
  const client = await openStream(`${url}/api/sse?userId=ann`);
  expect(client.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'access-control-allow-origin': 'https://example.org',
    'set-cookie': ['session=abc; Path=/'],
  });
  sse.sendToRoom('news', { hello: 'you' }, { event: 'note' });
  expect((await client.event('note')).data).toContain('"hello":"you"');
  const id = client.lastEventId;
  const left = next(sse, 'disconnect');
  client.close();
  await left;
  sse.sendToUser('ann', 'missed');
  const again = await openStream(`${url}/api/sse?userId=ann&lastEventId=${encodeURIComponent(id)}`);
  expect((await again.received(1))[0]?.data).toBe('"missed"');
});
