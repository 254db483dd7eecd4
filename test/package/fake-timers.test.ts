import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ROOT } from '../docs/markdown.js';

const execute = promisify(execFile);

/** Registers a client, and sends to it with the fake timers of Node's own test runner in place, and after they were taken back. */
const PROGRAM = `
const http = require('node:http');
const { mock } = require('node:test');
const { SSEKify } = require(process.argv[1]);
const sse = new SSEKify();
const items = Array.from({ length: 40 }, (_, item) => ({ item }));
const server = http.createServer((req, res) => sse.registerConnection('ann', res));
server.listen(0, '127.0.0.1', () => {
  http.get({ host: '127.0.0.1', port: server.address().port }, async (stream) => {
    let text = '';
    const has = async (part) => {
      while (!text.includes(part)) text += await new Promise((resolve) => stream.once('data', resolve));
      console.log(part);
    };
    mock.timers.enable();
    sse.sendToUser('ann', 'in fake time');
    const piped = sse.task('ann', { requestId: 'r' }).pipe(items);
    await has('in fake time');
    mock.timers.reset();
    sse.sendToUser('ann', 'in real time');
    await has('in real time');
    await has('"item":39');
    await piped;
    await sse.shutdown({ graceMs: 0 });
    server.close();
  });
});
`;

it('delivers in CommonJS while a test has fake timers, and once it has taken them back', async () => {
  const { stdout } = await execute(process.execPath, ['-e', PROGRAM, ROOT], { timeout: 20_000 });
  expect(stdout.trim().split('\n')).toEqual(['in fake time', 'in real time', '"item":39']);
});
