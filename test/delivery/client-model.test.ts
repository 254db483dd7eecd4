import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('stop' as const, 'go' as const, 'turn' as const, 'leave' as const, 'come' as const),
    }),
  },
);

/** Reads what came since the last look: ids, gaps, and the position that a reconnect would ask for. */
class Client {
  response = new MadeUpResponse();
  connected = false;
  lastEventId = '';
  #newest = 0;
  #gap = false;
  readonly problems: string[] = [];

  read(): void {
    for (const block of this.response.text.split('\n\n')) {
      const id = /^id: (.*)$/m.exec(block)?.[1];
      if (id !== undefined) this.lastEventId = id;
      if (block.includes('event: server:gap')) {
        this.#gap = true;
        continue;
      }
      const number = /^data: (\d+)$/m.exec(block)?.[1];
      if (number === undefined) continue;
      const missed = Number(number) - this.#newest - 1;
      if (missed < 0) this.problems.push(`${number} came after ${this.#newest}`);
      if (missed > 0 && !this.#gap) this.problems.push(`${missed} were lost silently before ${number}`);
      this.#newest = Number(number);
      this.#gap = false;
    }
    this.response.writes.length = 0;
  }

  get complete() {
    return { newest: this.#newest, gap: this.#gap };
  }
}

it('gives a client that stalls, leaves and comes back every event once and in order, or a gap', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom('oldest' as const, 'newest' as const, 'disconnect' as const),
      fc.integer({ min: 3, max: 12 }),
      async (script, dropPolicy, recentBufferSize) => {
        const sse = new SSEKify({
          keepAliveMs: 0,
          recentBufferSize,
          connection: { maxQueueItems: 5, dropPolicy },
        });
        const client = new Client();
        let number = 0;
        const send = () => {
          number += 1;
          const to = number % 3;
          if (to === 0) sse.sendToAll(number);
          else if (to === 1) sse.sendToUser('ann', number);
          else sse.sendToRoom('room', number);
        };
        const come = () => {
          client.response = new MadeUpResponse();
          sse.registerConnection('ann', client.response.asResponse(), {
            rooms: ['room'],
            lastEventId: client.lastEventId,
          });
        };
        const leave = () => {
          client.read();
          client.response.emit('close');
        };
        // The first one gives it a position.
        come();
        send();
        await flushed();
        client.read();
        for (const each of script) {
          if (each.do === 'send') for (let n = 0; n < each.count; n += 1) send();
          else if (each.do === 'stop') client.response.takes = false;
          else if (each.do === 'go') {
            client.response.takes = true;
            client.response.drain();
          } else if (each.do === 'turn') await flushed();
          else if (each.do === 'leave') leave();
          else if (!sse.isUserOnline('ann')) come();
        }
        client.response.takes = true;
        client.response.drain();
        await flushed();
        if (sse.isUserOnline('ann')) leave();
        else client.read();
        come();
        send();
        await flushed();
        client.read();
        expect(client.problems).toEqual([]);
        expect(client.complete).toEqual({ newest: number, gap: false });
        await sse.shutdown({ announce: false, graceMs: 0 });
      },
    ),
    { numRuns: 150 },
  );
});
