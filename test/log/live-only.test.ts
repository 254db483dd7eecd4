import { expect, it } from 'vitest';
import { SSEKifyError } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { LOG, logHubs, told, untilPlaced, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

it('sends without Redis to the connections here, live, without an id, and moves nobody', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis);
  if (a === undefined || b === undefined) return expect.fail();
  const [here, there] = [await openStream(`${a.url}/ann?rooms=r`), await openStream(`${b.url}/ann?rooms=r`)];
  await Promise.all([untilPlaced(here), untilPlaced(there)]);
  const at = here.lastEventId;
  const length = () => redis.client().xlen(LOG);
  const before = await length();
  expect(a.sse.sendToUser('ann', 1)).toBe(1);
  expect(a.sse.sendToRoom('r', 2)).toBe(1);
  expect(a.sse.sendToAll(3)).toBe(1);
  expect((await a.handle(0)).send(4)).toBe(true);
  await untilTold(here, 4);
  expect(told(here).map(({ id, data }) => [id, data])).toEqual([1, 2, 3, 4].map((n) => [undefined, String(n)]));
  expect(here.lastEventId).toBe(at);
  expect(await length()).toBeLessThanOrEqual(before + 1);
  await a.sse.publishToAll(5);
  await Promise.all([untilTold(here, 5), untilTold(there, 1)]);
  const again = await openStream(`${a.url}/ann?rooms=r`, { lastEventId: at });
  await untilTold(again, 1);
  expect([...told(again), ...told(there)].map(({ data }) => data)).toEqual(['5', '5']);
});

it('takes an id from nobody', async () => {
  const redis = await startRedis();
  const [a] = await logHubs(1, redis);
  if (a === undefined) return expect.fail();
  const client = await openStream(`${a.url}/ann`);
  const { sse } = a;
  const handle = await a.handle(0);
  const refused = expect.objectContaining({ code: 'INVALID_ID' });
  for (const id of ['1-1', 7] as string[]) {
    await expect(sse.publishToUser('ann', 1, { id })).rejects.toEqual(refused);
    await expect(sse.publishToAll(1, { id, key: 'k' })).rejects.toEqual(refused);
    await expect(sse.publishToRoom('r', 1, { id })).rejects.toEqual(refused);
    for (const send of [
      () => sse.sendToUser('ann', 1, { id }),
      () => sse.sendToRoom('r', 1, { id }),
      () => sse.sendToAll(1, { id }),
      () => handle.send(1, { id }),
    ]) {
      expect(send).toThrow(SSEKifyError);
      expect(send).toThrow(/in lossless mode the log gives/);
    }
  }
  await sse.publishToUser('ann', 'good', { id: undefined, key: 'k' });
  await untilTold(client, 1);
  expect(told(client).map(({ data }) => data)).toEqual(['"good"']);
});

it('cannot clear what all instances share', async () => {
  const redis = await startRedis();
  const [a] = await logHubs(1, redis);
  for (const clear of [() => a?.sse.clearRecent(), () => a?.sse.clearRecent('ann')]) {
    expect(clear).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  }
});
