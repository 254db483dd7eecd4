/** The hand-written publisher that also receives what is published, as an instance with clients of its own has to. */
const { Redis } = require('ioredis');
const { CHANNEL, create } = require('./hand-written.js');

exports.create = async (options) => {
  const subscriber = new Redis(options.redis);
  await subscriber.subscribe(CHANNEL);
  let received = 0;
  subscriber.on('message', (_channel, message) => {
    if (JSON.parse(message).user !== undefined) received += 1;
  });
  return { ...(await create(options)), stats: () => ({ received }) };
};
