/** Ends with 0 when the server in this container answers, for the HEALTHCHECK of the Dockerfile: the image has no curl. */
const { HEALTH_PATH = '/healthz', PORT = '3000' } = process.env;

fetch(`http://127.0.0.1:${PORT}${HEALTH_PATH}`, { signal: AbortSignal.timeout(2000) }).then(
  ({ status, ok }) => {
    if (!ok) console.error(`${HEALTH_PATH} answered ${status}`);
    process.exit(ok ? 0 : 1);
  },
  (error) => {
    console.error(`${HEALTH_PATH}: ${error.cause?.code ?? error.name}`);
    process.exit(1);
  },
);
