/** ssekify in lossless mode: its events live in a Redis stream. */
const { createRedisStreamAdapter } = require(process.env.SSEKIFY_BENCH_ENTRY ?? 'ssekify');
const { create } = require('./ssekify.js');

exports.protocols = ['http'];

/** @param options.redis its URL; `log` are options of the adapter */
exports.create = ({ redis, log, ...options }) => create({ ...options, redis: createRedisStreamAdapter(redis, log) });
