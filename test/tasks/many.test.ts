import http from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { serveHub } from '../helpers/server.js';

const TASKS = 1000;
const TOKENS = 200;

/** A client that puts a text together, until its task is done. */
function textOf(url: string, agent: http.Agent): Promise<{ text: Promise<string> }> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent }, (response) => {
      let text = '';
      const done = new Promise<string>((finish) => {
        const parser = createParser({
          onEvent({ data }) {
            const { phase, payload } = JSON.parse(data);
            if (phase === 'progress') text += payload;
            else finish(`${phase}: ${text}`);
          },
        });
        response.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk));
        response.on('error', () => undefined);
      });
      resolve({ text: done });
    });
    atEnd(() => request.destroy());
    request.on('error', reject);
  });
}

async function* model(user: number) {
  for (let token = 0; token < TOKENS; token += 1) {
    await turn();
    yield `${user}.${token} `;
  }
}

const wholeText = (user: number) => Array.from({ length: TOKENS }, (_, token) => `${user}.${token} `).join('');

it('lets each client of 1,000 concurrent tasks read exactly its text', { timeout: 60_000 }, async () => {
  const { sse, url } = await serveHub();
  const agent = new http.Agent({ maxSockets: Number.POSITIVE_INFINITY });
  atEnd(() => agent.destroy());
  const clients = await Promise.all(Array.from({ length: TASKS }, (_, user) => textOf(`${url}/u${user}`, agent)));
  await Promise.all(clients.map((_, user) => sse.task(`u${user}`, { requestId: `r${user}` }).pipe(model(user))));
  const texts = await Promise.all(clients.map(({ text }) => text));
  expect(texts).toEqual(clients.map((_, user) => `done: ${wholeText(user)}`));
});
