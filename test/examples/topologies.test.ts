import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { startCluster } from '../helpers/cluster.js';
import { type Example, postJson, startFile, startScript } from '../helpers/example.js';
import { program } from '../helpers/programs.js';
import { startSentinels } from '../helpers/sentinel.js';
import { expectBadBodiesRefused, expectBadUsersRefused, expectCleanEnd, liveStream, subscribed } from './refusals.js';

const redis = program('redis-server');

type Environment = Readonly<Record<string, string>>;

const list = (addresses: readonly { host: string; port: number }[]) =>
  addresses.map(({ host, port }) => `${host}:${port}`).join(',');

const topologies: [string, string, () => Promise<Environment>, string][] = [
  [
    'dev:cluster',
    'redis-cluster.js',
    async () => {
      const { nodes, addresses } = await startCluster();
      for (const { direct } of nodes) await direct.config('SET', 'requirepass', 'secret');
      return { REDIS_CLUSTER_NODES: list(addresses), REDIS_PASSWORD: 'secret' };
    },
    'REDIS_CLUSTER_NODES',
  ],
  [
    'dev:sentinel',
    'redis-sentinel.js',
    async () => {
      const { name, sentinels } = await startSentinels();
      return { REDIS_SENTINELS: list(sentinels), REDIS_SENTINEL_MASTER: name };
    },
    'REDIS_SENTINELS',
  ],
];

describe.skipIf(redis.skip).each(topologies)('npm run %s', (script, file, startTopology, listName) => {
  async function start(env: Environment): Promise<Example> {
    const example = await startScript(script, env);
    atEnd(example.stop);
    await subscribed(example);
    return example;
  }

  it('reaches users, rooms and everyone on every instance, refuses bad input, and ends with code 0', async () => {
    const env = await startTopology();
    const [a, b] = await Promise.all([start(env), start(env)]);
    const ann = await liveStream(`${a.url}/sse?userId=ann&rooms=desk`);
    const bob = await liveStream(`${b.url}/sse?userId=bob&rooms=desk`);
    await expectBadUsersRefused(`${a.url}/sse`);
    for (const route of ['notify/ann', 'room/desk', 'broadcast']) await expectBadBodiesRefused(`${a.url}/${route}`);
    const answer = await postJson(`${b.url}/notify/ann`, { event: 'news', data: 'for ann' });
    await postJson(`${a.url}/room/desk`, { event: 'news', data: 'for the room' });
    await postJson(`${b.url}/broadcast`, { event: 'news', data: 'for all' });
    const heard = ({ events }: typeof ann) =>
      events.filter(({ event }) => event === 'news').map(({ data }) => JSON.parse(data));
    await ann.until(() => heard(ann).length === 3);
    await bob.until(() => heard(bob).length === 2);
    expect(heard(ann)).toEqual(['for ann', 'for the room', 'for all']);
    expect(heard(bob)).toEqual(['for the room', 'for all']);
    expect(ann.events[1]?.id).toBe(answer.json().id);
    await expectCleanEnd(file, env, '/sse?userId=ann');
  });

  it('names the variable that is wrong', async () => {
    await expect(startFile(`examples/express/${file}`, { [listName]: 'nowhere' })).rejects.toThrow(listName);
  });

  it('ends with code 0 although no Redis is there', async () => {
    await expectCleanEnd(file, { [listName]: '127.0.0.1:1' }, '/sse?userId=ann');
  });
});
