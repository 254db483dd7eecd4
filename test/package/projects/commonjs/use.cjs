const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const http = require('node:http');
const { SSEKify, SSEKifyError } = require('ssekify');

async function main() {
  const imported = await import('ssekify');
  assert.equal(imported.SSEKify, SSEKify, 'one class, however it is loaded');
  assert.equal(imported.default.SSEKify, SSEKify);
  assert.equal(require('ssekify').default.SSEKify, SSEKify);
  assert.deepEqual(
    Object.keys(imported)
      .filter((name) => name !== 'module.exports')
      .sort(),
    Object.keys(require('ssekify')).sort(),
  );
  const { EggSSE } = require('ssekify/egg');
  assert.equal((await import('ssekify/egg')).EggSSE, EggSSE);
  const messenger = Object.assign(new EventEmitter(), { sendToApp: () => undefined });
  const { hub } = new EggSSE({}, messenger);
  assert.ok(hub instanceof SSEKify, 'of the one class');
  await hub.shutdown({ graceMs: 0 });
  assert.equal(require('ssekify/egg/package.json').eggPlugin.name, 'sse');
  assert.throws(() => require.resolve('ioredis'), { code: 'MODULE_NOT_FOUND' });
  assert.throws(() => new SSEKify({ retryMs: -1 }), SSEKifyError);

  const sse = new SSEKify();
  const server = http.createServer((_req, res) => sse.registerConnection('ann', res, { rooms: ['news'] }));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  sse.on('connect', ({ userId }) => {
    sse.sendToUser(userId, { n: 1 });
    sse.sendToRoom('news', { n: 2 }, { event: 'notice' });
    sse.publish({ n: 3 });
  });
  const body = await receive(`http://127.0.0.1:${server.address().port}/`, '"n":3');
  assert.match(body, /"n":1[\s\S]*event: ?notice\n[\s\S]*"n":2/);
  await sse.shutdown({ graceMs: 0 });
  server.close();
  // Said by what is printed last: the process then ends by itself.
  console.log('delivered');
}

/** Reads a stream until it holds `text`. */
function receive(url, text) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        body += chunk;
        if (!body.includes(text)) return;
        response.destroy();
        resolve(body);
      });
    });
    request.on('error', reject);
  });
}

main();
