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
