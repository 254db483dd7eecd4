import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { describe, expect, it } from 'vitest';
import { Audience } from '../helpers/chaos/audience.js';
import { inForm } from '../helpers/chaos/form.js';
import { judge } from '../helpers/chaos/oracle.js';
import { note } from '../helpers/chaos/report.js';
import { LOG, startStage } from '../helpers/chaos/stage.js';
import { atEnd } from '../helpers/cleanup.js';
import { program } from '../helpers/programs.js';
import { randomFrom } from '../helpers/stall.js';

const redis = program('redis-server');
const COUNT = inForm({ short: 1000, full: 20_000 });
const AT_ONCE = 50;

/** Ids that are no position in any log. */
const MALFORMED = [
  ...['-', '1-', '-1', '1-2-3', '0x10-1', '1e3-0', '1.5-0', 'NaN-NaN', 'Infinity-0', '-1--1', '+1-1', '１-１', '٣-٣'],
  ...[
    '$',
    '>',
    '+',
    '*',
    '(1-0',
    '1-*',
    '0-0 COUNT 1',
    '1-1" "2-2',
    "1-1' or '1'='1",
    '__proto__',
    'constructor',
    '😀',
  ],
  ...[LOG, 'MAXID', '~', 'x'.repeat(4000), '9'.repeat(4000), `1-${'9'.repeat(1000)}`, '18446744073709551616-0'],
  ...['1-18446744073709551616', '1795249382167-0-s4d7m16itq', 'é-é', '\u2028', '{}', '[]', 'null', 'undefined'],
];

/** These, and good ids into which a character was put that makes them bad. */
function hostileIds(good: string): string[] {
  const random = randomFrom(11);
  const strange = [...'abcxyzABCXYZ$*+()[]{}<>~!@#%^&_=|\\/\'"`,;:.?é😀'];
  return Array.from({ length: COUNT }, (_, n) => {
    const listed = MALFORMED[n % (4 * MALFORMED.length)];
    if (listed !== undefined) return listed;
    const at = Math.floor(random() * (good.length + 1));
    return good.slice(0, at) + strange[Math.floor(random() * strange.length)] + good.slice(at);
  });
}

interface FirstWord {
  status: number | undefined;
  event: string | undefined;
  reason: string | undefined;
}

/** Resolves with the first event that a client with this id is sent. */
function firstWord(port: number, id: string, inQuery: boolean): Promise<FirstWord> {
  return new Promise((resolve, reject) => {
    const query = new URLSearchParams({ user: 'mallory', ...(inQuery ? { lastEventId: id } : {}) });
    const headers = inQuery ? {} : { 'Last-Event-ID': Buffer.from(id).toString('latin1') };
    const request = http.get({ host: '127.0.0.1', port, path: `/?${query}`, headers, agent: false }, (response) => {
      const parser = createParser({
        onEvent: ({ event, data }) => {
          resolve({ status: response.statusCode, event, reason: data === '' ? undefined : JSON.parse(data).reason });
          request.destroy();
        },
      });
      response.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk));
      response.on('error', () => undefined);
      response.on('end', () => reject(new Error(`the stream of ${id} ended`)));
    });
    request.on('error', reject);
  });
}

describe.skipIf(redis.skip)('thousands of hostile positions', () => {
  it('crash nothing, cause no command in Redis, and are each told of a gap', async () => {
    const stage = await startStage();
    const [publisher] = stage.publishers;
    const audience = new Audience();
    audience.add(60, stage.ports);
    await audience.connected();
    const [first] = (await publisher?.burst({ kind: 'all' }, 1)) ?? [];
    expect(await audience.until((client) => first !== undefined && client.hasHeard(first))).toBe(0);

    const monitor = await stage.redis.client().monitor();
    atEnd(() => monitor.disconnect());
    let commands: string[] = [];
    monitor.on('monitor', (_time: string, [command = '']: string[]) => commands.push(command.toLowerCase()));
    const quietMs = 2000;
    await wait(quietMs);
    const quiet = commands;
    commands = [];

    const at = performance.now();
    const words = new Map<string, number>();
    const ids = hostileIds(first?.id ?? '');
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const batch = ids.slice(from, from + AT_ONCE);
      const heard = await Promise.all(
        batch.map((id, n) => firstWord(stage.ports[n % stage.ports.length] ?? 0, id, n % 5 === 0)),
      );
      for (const { status, event, reason } of heard) {
        const word = `${status} ${event} ${reason}`;
        words.set(word, (words.get(word) ?? 0) + 1);
      }
    }
    const tookMs = performance.now() - at;
    const caused = [...commands];

    await publisher?.burst({ kind: 'all' }, 100);
    const [last] = (await publisher?.burst({ kind: 'all' }, 1)) ?? [];
    expect(await audience.until((client) => last !== undefined && client.hasHeard(last))).toBe(0);
    const verdict = judge((await publisher?.publications()) ?? [], audience.clients, { idsAreOrdered: true });
    note({
      fault: `${COUNT.toLocaleString('en-US')} hostile \`Last-Event-ID\`s`,
      evidence: `${caused.length} commands in ${Math.round(tookMs)} ms; ${quiet.length} in ${quietMs} ms without them`,
      ...verdict,
    });
    expect(verdict).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, gaps: 0, findings: [] });
    expect([...words]).toEqual([['200 server:gap unknown', COUNT]]);
    expect(stage.instances.filter(({ crashed }) => crashed)).toEqual([]);
    // What there is comes from the ticks, and none of it from a client.
    expect([...new Set(caused)].filter((command) => !quiet.includes(command))).toEqual([]);
    expect(caused.length).toBeLessThan((quiet.length / quietMs) * tookMs * 1.5 + 20);
    audience.close();
  });
});
