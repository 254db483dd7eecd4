import { describe, expect, it } from 'vitest';
import { Audience } from '../helpers/chaos/audience.js';
import { judge, type Rules } from '../helpers/chaos/oracle.js';
import type { Publication } from '../helpers/chaos/publisher.js';
import { note } from '../helpers/chaos/report.js';
import { LOG, type Stage, startStage, withClient } from '../helpers/chaos/stage.js';
import { program } from '../helpers/programs.js';

const redis = program('redis-server');
const KNOWN = 10;
const MISSED = 1000;

/** Publishes to everyone, and waits until all of them have heard it. */
async function publish(stage: Stage, audience: Audience, count: number): Promise<Publication[]> {
  const events = (await stage.publishers[0]?.burst({ kind: 'all' }, count)) ?? [];
  await heardBy(audience, events);
  return events;
}

async function heardBy(audience: Audience, events: readonly Publication[]): Promise<void> {
  expect(await audience.until((client) => events.every((event) => client.hasHeard(event)))).toBe(0);
}

/** Clients come back, and once more to another instance; then they are judged. */
async function comeBack(
  stage: Stage,
  audience: Audience,
  last: readonly Publication[],
  rules: Omit<Rules, 'idsAreOrdered'>,
) {
  for (const client of audience.clients) client.open();
  await heardBy(audience, last);
  for (const client of audience.clients) client.drop();
  await audience.connected();
  await publish(stage, audience, 1);
  audience.close();
  const publications = (await stage.publishers[0]?.publications()) ?? [];
  const verdict = judge(publications, audience.clients, { idsAreOrdered: true, ...rules });
  expect(verdict).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, findings: [] });
  return verdict;
}

const sizeOf = (stage: Stage) => withClient(stage.redis, (client) => client.xlen(LOG));

describe.skipIf(redis.skip)('clients that were away while 1,000 events went through a log of 100', () => {
  it('are told of one gap before the first event that is sent again', async () => {
    const stage = await startStage({ log: { maxEvents: 100 } });
    const audience = new Audience();
    audience.add(60, stage.ports);
    await audience.connected();
    await publish(stage, audience, KNOWN);
    for (const client of audience.clients) client.pause();
    const positions = audience.clients.map(({ lastEventId }) => lastEventId);

    const missed = (await stage.publishers[0]?.burst({ kind: 'all' }, MISSED)) ?? [];
    const kept = await sizeOf(stage);
    // Redis cuts whole nodes of a stream, of a hundred entries each.
    expect(kept).toBeLessThan(250);
    // What instances remember of their own would hide what the log has lost.
    await Promise.all(stage.instances.map((instance) => instance.kill()));
    await Promise.all(stage.instances.map((instance) => instance.start()));
    const verdict = await comeBack(stage, audience, missed.slice(-1), {
      required: () => false,
    });
    note({
      fault: `log capped at 100 events, ${MISSED.toLocaleString('en-US')} published while all clients were away`,
      evidence: `${kept} entries kept`,
      ...verdict,
    });
    for (const [n, { gaps, deliveries }] of audience.clients.entries()) {
      expect(gaps).toEqual([{ lastEventId: positions[n], reason: 'evicted', after: KNOWN }]);
      expect(deliveries.length).toBeGreaterThan(KNOWN + 50);
    }
  });

  it('miss nothing at instances that were there and remember more than the log', async () => {
    const stage = await startStage({ log: { maxEvents: 100 } });
    const audience = new Audience();
    audience.add(60, stage.ports);
    const witnesses = new Audience();
    witnesses.add(stage.ports.length, stage.ports);
    await Promise.all([audience.connected(), witnesses.connected()]);
    await publish(stage, audience, KNOWN);
    for (const client of audience.clients) client.pause();

    let last: Publication[] = [];
    // So few at a time that no instance falls behind the end that is cut off.
    for (let n = 0; n < MISSED; n += 50) last = await publish(stage, witnesses, 50);
    const kept = await sizeOf(stage);
    expect(kept).toBeLessThan(250);
    const verdict = await comeBack(stage, audience, last, {});
    note({
      fault: `the same, at instances that were there meanwhile`,
      evidence: `${kept} entries kept`,
      ...verdict,
    });
    expect(verdict.gaps).toBe(0);
  });
});
