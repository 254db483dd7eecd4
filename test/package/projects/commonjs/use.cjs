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

  const sse = new SSEKify({ connection: { maxQueueItems: 10_000, maxQueueBytes: 2 ** 30 } });
  const server = http.createServer((_req, res) => sse.registerConnection('ann', res, { rooms: ['news'] }));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  sse.on('connect', ({ userId }) => {
    sse.sendToUser(userId, { n: 1 });
    sse.sendToRoom('news', { n: 2 }, { event: 'notice' });
    sse.publish({ n: 3 });
  });
  const body = await receive(`http://127.0.0.1:${server.address().port}/`, '"n":3');
  assert.match(body, /"n":1[\s\S]*event: ?notice\n[\s\S]*"n":2/);
  await overwhelm(`http://127.0.0.1:${server.address().port}/`, sse);
  await sse.shutdown({ graceMs: 0 });
  server.close();
  // Said by what is printed last: the process then ends by itself.
  console.log('delivered');
}

/** Sends a client that does not read more than its socket holds, and looks at what it gets when it reads again. */
async function overwhelm(url, sse) {
  const response = await new Promise((resolve, reject) => {
    http.get(url, { agent: false }, resolve).on('error', reject);
  });
  response.pause();
  const { queueItemsMax, sinks } = sse.stats();
  assert.deepEqual({ queueItemsMax, sinks }, { queueItemsMax: 0, sinks: { socket: 2, response: 0, web: 0 } });
  const count = 1000;
  for (let n = 0; n < count; n += 1) {
    sse.sendToUser('ann', `${n} ${'é'.repeat(20_000)}`, { event: 'big', text: true });
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sse.stats().queueItemsMax > 0, 'it is behind');
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    body += chunk;
    if (chunk.endsWith('\n\n') && body.includes(`data: ${count - 1} `)) break;
  }
  const numbers = [...body.matchAll(/^data: (\d+) é{20000}$/gm)].map(([, n]) => Number(n));
  assert.deepEqual(
    numbers,
    Array.from({ length: count }, (_, n) => n),
  );
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
