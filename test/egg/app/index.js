/** Starts the application as `egg-scripts` does, or in this one process. */
const { start: startHere, startCluster } = require('egg');

process.env.EGG_AGENT_CLOSE_TIMEOUT ??= '500';

async function start() {
  const port = Number(process.env.PORT);
  const workers = Number(process.env.WORKERS ?? 2);
  if (workers > 0) await startCluster({ baseDir: __dirname, workers, port });
  else (await startHere({ baseDir: __dirname })).listen(port);
  console.log(`listening: http://localhost:${port} master: ${process.pid}`);
}

start();
