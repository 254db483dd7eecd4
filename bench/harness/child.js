/** Child processes that answer calls: the server and the clients of a measurement. */
const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const CALL_TIMEOUT_MS = 180_000;

/**
 * Starts a file of this folder as a process of its own.
 *
 * @param {string} file
 * @param {{ execArgv?: string[], env?: Record<string, string> }} [options]
 */
function start(file, { execArgv = [], env = {} } = {}) {
  const child = fork(path.join(__dirname, file), { execArgv, env: { ...process.env, ...env } });
  const pending = new Map();
  let calls = 0;
  const failAll = (error) => {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };
  child.on('message', ({ id, result, error }) => {
    const call = pending.get(id);
    pending.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(Object.assign(new Error(error.message), { lost: error.lost }));
  });
  child.on('exit', (code, signal) => failAll(new Error(`${file} ended with ${code ?? signal}`)));

  return {
    /** Runs one of the process's methods there. */
    async call(method, args = {}) {
      calls += 1;
      const id = calls;
      let timer;
      const timeout = new Promise((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`${file}: ${method} took too long`)), CALL_TIMEOUT_MS);
      });
      const answer = new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
      child.send({ id, method, args });
      try {
        return await Promise.race([answer, timeout]);
      } finally {
        clearTimeout(timer);
        pending.delete(id);
      }
    },
    /** Lets it end by itself, so that a profile gets written. */
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      if (child.connected) child.disconnect();
      const killer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(killer);
    },
  };
}

/** In the child: answers calls until the parent lets go. */
function answer(methods) {
  process.on('message', async ({ id, method, args }) => {
    try {
      const result = await methods[method](args);
      process.send({ id, result: result ?? null });
    } catch (error) {
      process.send?.({ id, error: { message: error.stack ?? String(error), lost: error.lost } });
    }
  });
  process.on('disconnect', () => process.exit());
}

module.exports = { start, answer };
