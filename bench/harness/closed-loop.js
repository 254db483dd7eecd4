/** Sends a round, waits until all clients have got all of it, sends the next: nothing queues anywhere. */
const STUCK_MS = 15_000;

/**
 * @param {{ cpu(): number, onRound: () => void }} context
 * @param {() => void} send one round
 * @returns how many rounds there were in all, and what those after the warm-up cost in microseconds of CPU
 */
function closedLoop(context, send, { warmUpMs, ms, maxRounds = Number.POSITIVE_INFINITY }) {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let rounds = 0;
    let measured;
    let watchdog;
    const finish = (settle) => {
      clearInterval(watchdog);
      context.onRound = () => undefined;
      settle();
    };
    const watch = () => {
      let seen = -1;
      watchdog = setInterval(() => {
        if (seen === rounds) {
          finish(() => reject(Object.assign(new Error(`frames of round ${rounds} are missing`), { lost: true })));
        }
        seen = rounds;
      }, STUCK_MS);
    };
    const next = () => {
      const now = performance.now();
      if (measured === undefined && now - startedAt >= warmUpMs) {
        measured = { cpu: context.cpu(), round: rounds, at: now };
      }
      const enough = measured !== undefined && rounds > measured.round;
      if (enough && (now - measured.at >= ms || rounds >= maxRounds)) {
        const cpu = context.cpu() - measured.cpu;
        const result = { rounds, measuredRounds: rounds - measured.round, cpu, ms: now - measured.at };
        finish(() => resolve(result));
        return;
      }
      rounds += 1;
      send();
    };
    context.onRound = next;
    watch();
    next();
  });
}

module.exports = { closedLoop };
