import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import ssekify, { SSEKify } from 'ssekify';

const { SSEKify: FromDefault, SSEKifyError } = ssekify;
assert.equal(FromDefault, SSEKify);
assert.equal(createRequire(import.meta.url)('ssekify').SSEKify, SSEKify, 'one class, however it is loaded');
await assert.rejects(import('ioredis'), { code: 'ERR_MODULE_NOT_FOUND' });
assert.throws(() => new SSEKify({ retryMs: -1 }), SSEKifyError);

const sse = new SSEKify();
const server = http.createServer((_req, res) => sse.registerConnection('ann', res)).listen(0, '127.0.0.1');
await once(server, 'listening');
sse.on('connect', ({ handle }) => {
  sse.sendToUser('ann', { hello: 'world' });
  handle.close();
});
const response = await fetch(`http://127.0.0.1:${server.address().port}/`);
assert.match(response.headers.get('content-type'), /^text\/event-stream/);
assert.match(await response.text(), /data: ?\{"hello":"world"/);
await sse.shutdown({ graceMs: 0 });
server.closeAllConnections();
server.close();
console.log('delivered');
