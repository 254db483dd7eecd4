/** Starts the application as `egg-scripts` does. */
const { startCluster } = require('egg');

process.env.EGG_AGENT_CLOSE_TIMEOUT ??= '500';

async function start() {
  const port = Number(process.env.PORT);
  await startCluster({ baseDir: __dirname, workers: Number(process.env.WORKERS ?? 2), port });
  console.log(`listening: http://localhost:${port} master: ${process.pid}`);
}

start();
