/** What people write by hand to publish with a number: INCR, EXPIRE and PUBLISH, one after the other. */
const { Redis } = require('ioredis');

const CHANNEL = 'hand-written';
const DAY_SECONDS = 86_400;

exports.create = async ({ redis }) => {
  const client = new Redis(redis);
  await client.ping();
  return {
    async publish(user, data) {
      const key = `seq:${data.requestId}`;
      const seq = await client.incr(key);
      await client.expire(key, DAY_SECONDS);
      const id = `${Date.now()}-${seq}`;
      await client.publish(CHANNEL, JSON.stringify({ id, user, data: { ...data, seq } }));
    },
  };
};

exports.CHANNEL = CHANNEL;
