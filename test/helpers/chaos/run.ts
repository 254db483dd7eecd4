import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'vitest';
import { Audience } from './audience.js';
import { inForm } from './form.js';
import { judge, type Rules, type Verdict } from './oracle.js';
import type { Publication } from './publisher.js';
import { note } from './report.js';
import type { Stage } from './stage.js';

/** Events a second that each publisher publishes. */
const PER_SECOND = 250;
/** Before the fault, and after it. */
const CALM_MS = inForm({ short: 300, full: 3000 });
const LEAST_ACKNOWLEDGED = 400;
/** To each client. */
const LEAST_DELIVERIES = 20;

export interface Run {
  /** The row's name in the table. */
  fault: string;
  clients?: number;
  /** What goes wrong. Resolves with what was seen of it; a fault that did not happen throws. */
  strike(scene: { audience: Audience; stage: Stage }): Promise<string>;
  required?: Rules['required'];
}

export interface Outcome {
  verdict: Verdict;
  audience: Audience;
  publications: Publication[];
}

/**
 * Lets a fault strike while clients listen and publishers publish, and judges what the clients heard. At the end every
 * client has to hear a last event, goes to another instance, and hears one more: what was left out or comes again is seen.
 */
export async function underLoad(stage: Stage, { fault, clients, strike, required }: Run): Promise<Outcome> {
  // What a run that failed has left.
  await rest(stage);
  await published(stage);
  await Promise.all(stage.instances.map((instance) => instance.revive()));
  const audience = new Audience();
  audience.add(clients ?? inForm({ short: 240, full: 480 }), stage.ports);
  await audience.connected();
  if (stage.mode === 'log') await heardBy(audience, ({ lastEventId }) => lastEventId !== '', 'a position');
  await publishToAll(stage, audience, 'the first event');

  await Promise.all(stage.publishers.map((each) => each.pace(PER_SECOND)));
  await wait(CALM_MS);
  const evidence = await strike({ audience, stage });
  await wait(CALM_MS);
  await rest(stage);
  const findings = await lastWords(stage, audience);
  const publications = await published(stage);
  const rules: Rules = { idsAreOrdered: stage.mode === 'log', ...(required === undefined ? {} : { required }) };
  const verdict = judge(publications, audience.clients, rules);
  const crashed = [...stage.instances, ...stage.publishers].filter((each) => each.crashed).length;
  if (crashed > 0) findings.push(`${crashed} processes crashed`);
  verdict.findings.unshift(...findings);
  if (verdict.findings.length > 0) verdict.findings.push(...(await accounts(stage)));
  note({ fault, evidence, ...verdict });
  audience.close();
  return { verdict, audience, publications };
}

/** Resolves when the publishers publish no more, and know what became of all they published. */
async function rest({ publishers }: Stage): Promise<void> {
  await Promise.all(publishers.map((each) => each.rest()));
}

/** What the processes themselves say, where something is to be explained. */
function accounts({ instances, publishers }: Stage): Promise<string[]> {
  return Promise.all(
    [...instances, ...publishers].map(async (each, n) => {
      const { stats, errors, gaps } = await each.report();
      return `process ${n}: ${JSON.stringify({ bus: stats.bus, errors, gaps })}`;
    }),
  );
}

/** What was published since the last time this was asked. */
async function published({ publishers }: Stage): Promise<Publication[]> {
  return (await Promise.all(publishers.map((each) => each.publications()))).flat();
}

/** What every fault must come to that is not said to do more. @throws when clients missed, or were told, anything */
export function expectHarmless({ verdict }: Outcome): void {
  expectWhole(verdict);
  expect(verdict).toMatchObject({ gaps: 0 });
}

/** The same, where clients are told of gaps: by the oracle's rules nothing is lost, nothing comes twice. */
export function expectWhole(verdict: Verdict): void {
  expect(verdict).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, findings: [] });
  // An oracle that saw too little proves too little.
  expect(verdict.acknowledged).toBeGreaterThan(LEAST_ACKNOWLEDGED);
  expect(verdict.deliveries).toBeGreaterThan(LEAST_DELIVERIES * verdict.clients);
}

/** A last event, a change of instances, and a very last one. */
async function lastWords(stage: Stage, audience: Audience): Promise<string[]> {
  const findings: string[] = [];
  const say = async (what: string) => {
    await publishToAll(stage, audience, what).catch(({ message }) => findings.push(message));
  };
  await say('the last event');
  for (const client of audience.clients) client.drop();
  await audience.connected();
  await say('the very last event');
  return findings;
}

/** @throws when somebody did not hear it in time */
async function publishToAll(stage: Stage, audience: Audience, what: string): Promise<void> {
  const [publication] = (await stage.publishers[0]?.burst({ kind: 'all' }, 1)) ?? [];
  if (publication?.id === undefined) throw new Error(`nobody took ${what}`);
  await heardBy(audience, (client) => client.hasHeard(publication), what);
}

async function heardBy(audience: Audience, condition: Parameters<Audience['until']>[0], what: string): Promise<void> {
  const deaf = await audience.until(condition);
  if (deaf > 0) throw new Error(`${deaf} clients did not hear ${what} in time`);
}
