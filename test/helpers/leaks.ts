/** Fails the test that left something behind: a socket, a server, a timer, or a rejection nobody handled. */
import { setTimeout as wait } from 'node:timers/promises';
import { beforeEach, vi } from 'vitest';

const problems: unknown[] = [];
process.on('unhandledRejection', (reason) => problems.push(reason));
process.on('uncaughtException', (error) => problems.push(error));

/** Kinds of resources that the library or a test may leak; the runner's own pipes and ports are not among them. */
const WATCHED = ['TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'Timeout', 'Immediate', 'ProcessWrap', 'FSReqCallback'];

function watchedResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (WATCHED.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

let before = new Map<string, number>();

function leaked(): string[] {
  const now = watchedResources();
  return [...now]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${kind} ×${count}`);
}

beforeEach(({ onTestFinished }) => {
  before = watchedResources();
  // One of these is the runner's, for this hook; there is none when the test is over.
  before.set('Timeout', (before.get('Timeout') ?? 1) - 1);
  problems.length = 0;
  // What is registered first runs last: after the test's own clean-up.
  onTestFinished(async () => {
    vi.useRealTimers();
    // Closed sockets leave the list a few turns of the event loop later.
    for (let turn = 0; turn < 200 && leaked().length > 0; turn += 1) await wait(turn < 20 ? 1 : 10);
    const left = leaked();
    if (left.length > 0) throw new Error(`the test left behind: ${left.join(', ')}`);
    if (problems.length > 0)
      throw new Error('the test left an unhandled rejection or exception', { cause: problems[0] });
  });
});
