const assert = require('node:assert/strict');
const http = require('node:http');
const { SSEKify } = require('ssekify');

async function main() {
  await catchUp('socket');
  process.env.SSEKIFY_SINK = 'response';
  await catchUp('response');
  console.log('caught up');
}

/** Sends a client that does not read large and small events by turns, and looks at what it gets when it reads again. */
async function catchUp(sink) {
  // One that never drains is parted with, and its stream is not whole then.
  const connection = { maxQueueItems: 10_000, maxQueueBytes: 2 ** 30, keepAliveMs: 0, stallTimeoutMs: 10_000 };
  const sse = new SSEKify({ connection });
  const server = http.createServer((_req, res) => sse.registerConnection('ann', res));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const connected = new Promise((resolve) => sse.on('connect', ({ handle }) => resolve(handle)));
  const response = await new Promise((resolve, reject) => {
    http.get(`http://127.0.0.1:${server.address().port}/`, { agent: false }, resolve).on('error', reject);
  });
  response.pause();
  const handle = await connected;
  assert.equal(sse.stats().sinks[sink], 1);
  let expected = 'retry: 2000\n\n';
  for (let n = 0; n < 300; n += 1) {
    // Fewer characters than Node's buffer takes, and more bytes.
    const text = `${n} ${'€'.repeat(n % 3 === 0 ? 50_000 : 5)}`;
    assert.ok(handle.send(text, { text: true }));
    expected += `data: ${text}\n\n`;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sse.stats().queueItemsMax > 0, 'it is behind');
  handle.close();
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) body += chunk;
  assert.ok(body === expected, `every byte, by way of the ${sink}`);
  await sse.shutdown({ graceMs: 0 });
  server.close();
}

main();
