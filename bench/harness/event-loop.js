/** How long the event loop was held. */
const { monitorEventLoopDelay } = require('node:perf_hooks');

/**
 * Watches until it is told to stop. `gap` is the longest time between two turns of the loop, `cpu` the most CPU that a turn
 * used (which another process on the machine cannot lengthen), `delay` what `monitorEventLoopDelay` saw; milliseconds.
 */
function watchEventLoop() {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  let gap = 0;
  let cpu = 0;
  let lastAt = performance.now();
  let lastCpu = process.cpuUsage();
  let stopped = false;
  const turn = () => {
    if (stopped) return;
    const at = performance.now();
    const used = process.cpuUsage();
    gap = Math.max(gap, at - lastAt);
    cpu = Math.max(cpu, (used.user + used.system - lastCpu.user - lastCpu.system) / 1000);
    lastAt = at;
    lastCpu = used;
    setImmediate(turn);
  };
  histogram.enable();
  setImmediate(turn);
  return () => {
    stopped = true;
    histogram.disable();
    return { gap, cpu, delay: histogram.max / 1e6 };
  };
}

module.exports = { watchEventLoop };
