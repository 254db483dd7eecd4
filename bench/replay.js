#!/usr/bin/env node
/** What a send to users who are not connected costs: time per send, and memory for their replay. Run it after a build. */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { SSEKify } = require('../dist/index.js');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

function usedBytes() {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Sends one event to each of so many users, and prints what it took. */
async function measure(users, options) {
  const sse = new SSEKify(options);
  const before = usedBytes();
  const started = performance.now();
  for (let user = 0; user < users; user += 1) sse.sendToUser(`user-${user}`, { hello: 'world', user });
  const microseconds = ((performance.now() - started) * 1000) / users;
  const megabytes = (usedBytes() - before) / 1e6;
  const { recentBuffers, recentItems } = sse.stats();
  console.log(
    `${users} one-shot users: ${microseconds.toFixed(1)} µs per send, ${megabytes.toFixed(1)} MB,`,
    `${recentBuffers} buffers, ${recentItems} events kept`,
  );
  await sse.shutdown({ graceMs: 0 });
}

async function main() {
  await measure(20_000, {});
  for (const users of [100_000, 400_000, 1_000_000]) await measure(users, {});
}

main();
