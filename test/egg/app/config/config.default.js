module.exports = {
  keys: 'ssekify-test',
  security: { csrf: { enable: false } },
  logger: { consoleLevel: 'WARN' },
  middleware: ['worker'],
  sse: JSON.parse(process.env.SSE ?? '{}'),
};
