/** An unset or empty variable means the library's default; what is not a number is refused by the library, by name. */
const text = (name) => process.env[name] || undefined;
const number = (name) => (text(name) === undefined ? undefined : Number(text(name)));

/** The hub's options as the environment sets them. */
exports.hubOptions = () => ({
  redis: text('REDIS_URL'),
  channel: text('SSE_CHANNEL'),
  keepAliveMs: number('SSE_KEEPALIVE_MS'),
  retryMs: number('SSE_RETRY_MS'),
  recentBufferSize: number('SSE_RECENT_BUFFER'),
});

exports.port = (ownPort) => {
  const port = number('PORT') ?? ownPort;
  if (Number.isInteger(port) && port >= 0 && port < 65536) return port;
  // Egg would listen on a port of its own choice.
  throw new Error(`PORT is ${text('PORT')}: expected a number from 0 to 65535`);
};

/** Where another service is, without a slash at its end. */
exports.serviceUrl = (name, ownUrl) => (text(name) ?? ownUrl).replace(/\/+$/, '');

/** A list of addresses such as `host:port,host:port`. */
exports.addresses = (name, own) =>
  (text(name) ?? own).split(',').map((address) => {
    const [, host, port] = /^(.+):(\d+)$/.exec(address.trim()) ?? [];
    if (host === undefined) throw new Error(`${name} is ${text(name)}: expected host:port,host:port`);
    return { host, port: Number(port) };
  });

exports.text = (name, own) => text(name) ?? own;
/** For what the library does not see. A timer of NaN ms fires at once, and no limit is a limit of NaN. */
exports.number = (name, own) => {
  const value = number(name) ?? own;
  if (value === undefined || value >= 0) return value;
  throw new Error(`${name} is ${text(name)}: expected a number of at least 0`);
};
