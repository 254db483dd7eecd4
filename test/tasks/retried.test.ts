import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import type { Task } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { dataOf, logHub, logHubs } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

/** Sends it again until the log takes it. */
async function insist(task: Task, payload: unknown, failed: () => unknown): Promise<void> {
  try {
    await task.progress(payload);
  } catch {
    await failed();
    await insist(task, payload, failed);
  }
}

/** A task at one of two instances, whose Redis can be told to refuse, with a client at the other. */
async function interruptible() {
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  atEnd(() => admin.disconnect());
  const [first, second] = await logHubs(2, redis);
  if (first === undefined || second === undefined) throw new Error('no hubs');
  first.sse.on('error', () => {});
  const client = await openStream(`${second.url}/ann`);
  const taskAt = ({ sse }: typeof first) => sse.task('ann', { requestId: 'r1' });
  return {
    client,
    task: taskAt(first),
    begunAgain: () => taskAt(second),
    writable: (replicas: number) => admin.config('SET', 'min-replicas-to-write', replicas),
  };
}

it('shows each piece once of a task that goes on elsewhere after a piece was sent again', async () => {
  const { client, task, begunAgain, writable } = await interruptible();
  await task.progress(0);
  await writable(1);
  let failures = 0;
  await insist(task, 1, () => {
    failures += 1;
    return failures === 2 ? writable(0) : undefined;
  });
  await task.progress(2);
  await begunAgain().pipe([0, 1, 2, 3, 4]);
  await client.until(({ raw }) => raw.includes('"phase":"done"'));
  const pieces = client.events
    .filter(({ data }) => data.includes('"progress"'))
    .map(({ data }) => JSON.parse(data).payload);
  expect(pieces).toEqual([0, 1, 2, 3, 4]);
});

it('shows a piece once that is sent again as another object which equals it', async () => {
  const { client, task, begunAgain, writable } = await interruptible();
  const piece = (place: number) => ({ place, text: ['na'] });
  await writable(1);
  await task.progress(piece(0)).catch(() => {});
  await writable(0);
  await task.progress(piece(0));
  await begunAgain().pipe([piece(0), piece(1)]);
  await client.until(({ raw }) => raw.includes('"phase":"done"'));
  const pieces = client.events.filter(({ data }) => data.includes('"progress"'));
  expect(pieces.map(({ data }) => JSON.parse(data).payload)).toEqual([piece(0), piece(1)]);
});

it('takes no piece of another type for the one before, which failed', async () => {
  const { client, task, begunAgain, writable } = await interruptible();
  await writable(1);
  await task.progress(undefined, { type: 'begun' }).catch(() => {});
  await writable(0);
  await task.progress(undefined, { type: 'read' });
  const again = begunAgain();
  for (const type of ['begun', 'read']) await again.progress(undefined, { type });
  await again.done();
  await client.until(({ raw }) => raw.includes('"phase":"done"'));
  const pieces = client.events.filter(({ data }) => data.includes('"progress"'));
  expect(pieces.map(({ data }) => JSON.parse(data).type)).toEqual(['read', 'begun']);
});

it('takes a piece that differs from the one before, which failed, for another one', async () => {
  const { client, task, begunAgain, writable } = await interruptible();
  await writable(1);
  await task.progress('first').catch(() => {});
  await writable(0);
  await task.progress('second');
  await begunAgain().pipe(['first', 'second']);
  await client.until(({ raw }) => raw.includes('"phase":"done"'));
  const pieces = client.events.filter(({ data }) => data.includes('"progress"'));
  expect(pieces.map(({ data }) => JSON.parse(data).payload)).toEqual(['second', 'first']);
});

it('takes a piece that equals one which was sent again for another one', async () => {
  const { client, task, writable } = await interruptible();
  await writable(1);
  await insist(task, 'na', () => writable(0));
  await task.progress('na');
  await task.done();
  await client.until(({ raw }) => raw.includes('"phase":"done"'));
  expect(client.events.filter(({ data }) => data.includes('"na"'))).toHaveLength(2);
});

it.each([
  ['of one requestId', ['ann', 'r1'], ['bob', 'r1']],
  ['whose names are one text together', ['ann', 'lee r1'], ['ann lee', 'r1']],
])('tells tasks %s apart by their users', async (_, ...wishes) => {
  const hub = await logHub((await startRedis()).url);
  const clients = await Promise.all(wishes.map(([user = '']) => openStream(`${hub.url}/${encodeURIComponent(user)}`)));
  for (const [user = '', requestId = ''] of wishes) await hub.sse.task(user, { requestId }).pipe([user]);
  for (const [index, client] of clients.entries()) {
    await client.until(({ raw }) => raw.includes('"phase":"done"'));
    expect(dataOf(client)).toMatchObject([{ payload: wishes[index]?.[0] }, { phase: 'done' }]);
  }
});
