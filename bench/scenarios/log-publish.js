const { sizes, measure, onServer } = require('./publish.js');

exports.title = 'Lossless mode: publishing with a number, one key per request, 64 under way, beside Pub/Sub';
exports.subjects = ['ssekify', 'ssekify-lossless'];
exports.baselines = ['ssekify'];
exports.needsRedis = true;
exports.metrics = [
  {
    key: 'perSecond',
    title: 'publishes per second',
    unit: '1/s',
    on: 'ssekify-lossless',
    bars: [{ against: 'ssekify', atLeast: 0.6 }],
  },
  { key: 'cpu', title: 'CPU per publish, reading it included', unit: 'µs' },
  { key: 'redisCpu', title: 'CPU of redis-server per publish', unit: 'µs' },
];
exports.sizes = sizes;
exports.onServer = onServer;
exports.measure = measure;
