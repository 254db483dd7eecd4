import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { type Subscriber, subscribe } from '../helpers/event-source.js';
import { type Example, postJson, request, startScript } from '../helpers/example.js';
import { requestsIn } from './api-http.js';
import { expectCleanEnd } from './refusals.js';

async function startChat(env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const example = await startScript('dev:chat', { WORD_MS: '5', ...env });
  atEnd(example.stop);
  return example;
}

/** Opens a stream as the page does, and waits until it is live. */
async function connect(chat: Example, user: string): Promise<Subscriber> {
  const subscriber = subscribe(`${chat.url}/sse?userId=${user}`, ['live', 'notify']);
  await subscriber.event('live');
  return subscriber;
}

const told = (subscriber: Subscriber, requestId: string) =>
  (subscriber.data('notify') as TaskEvent<string>[]).filter((data) => data.requestId === requestId);
const isOver = (subscriber: Subscriber, requestId: string) =>
  subscriber.until(() => told(subscriber, requestId).some(({ event }) => event !== 'progress'));
const textOf = (subscriber: Subscriber, requestId: string) =>
  told(subscriber, requestId)
    .map(({ payload = '' }) => payload)
    .join('');
const ask = (chat: Example, userId: string, requestId: string, prompt: string) =>
  postJson(`${chat.url}/chat`, { userId, requestId, prompt });
const running = async (chat: Example) => (await request(`${chat.url}/stats`)).json().tasks;

describe('npm run dev:chat', () => {
  it('streams the answers of several questions, each to who asked, word by word', async () => {
    const chat = await startChat();
    const [ann, bob] = [await connect(chat, 'ann'), await connect(chat, 'bob')];
    const words = Array.from({ length: 50 }, (_, n) => `word${n}`).join(' ');
    const answers = await Promise.all([
      ask(chat, 'ann', 'a', words),
      ask(chat, 'ann', 'b', 'hi'),
      ask(chat, 'bob', 'c', 'ho'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    await Promise.all([isOver(ann, 'a'), isOver(ann, 'b'), isOver(bob, 'c')]);
    expect(textOf(ann, 'a')).toBe(`You said: ${words}`);
    expect(textOf(ann, 'b')).toBe('You said: hi');
    expect(textOf(bob, 'c')).toBe('You said: ho');
    expect(told(ann, 'c').concat(told(bob, 'a'))).toEqual([]);
    expect(told(ann, 'b').map(({ phase, event, type }) => [phase, event, type])).toEqual([
      ['progress', 'progress', 'word'],
      ['progress', 'progress', 'word'],
      ['progress', 'progress', 'word'],
      ['done', 'done', undefined],
    ]);
  });

  it('tells of a model that fails, and of an answer that is stopped', async () => {
    const chat = await startChat();
    const ann = await connect(chat, 'ann');
    await ask(chat, 'ann', 'a', 'please fail');
    await isOver(ann, 'a');
    expect(told(ann, 'a').at(-1)).toMatchObject({
      event: 'error',
      error: { message: 'the model is out of words', code: 'MODEL_FAILED' },
    });
    await ask(chat, 'ann', 'b', 'word '.repeat(10_000));
    await ann.until(() => told(ann, 'b').length > 2);
    expect(await ask(chat, 'ann', 'b', 'again')).toMatchObject({ status: 409 });
    expect(await request(`${chat.url}/chat/b`, { method: 'DELETE' })).toMatchObject({ status: 204 });
    await isOver(ann, 'b');
    expect(told(ann, 'b').at(-1)).toMatchObject({ event: 'error', error: { message: 'stopped', code: 'STOPPED' } });
    expect(await running(chat)).toBe(0);
  });

  it('stops the model of a user who has left, and sends heartbeats that a page sees', async () => {
    const chat = await startChat({ GONE_AFTER_MS: '50', SSE_KEEPALIVE_MS: '50' });
    const ann = await connect(chat, 'ann');
    await ann.until(() => ann.data('notify').some((data) => (data as { event: string }).event === 'ping'));
    await ask(chat, 'ann', 'a', 'word '.repeat(10_000));
    await ann.until(() => told(ann, 'a').length > 2);
    ann.close();
    await expect.poll(() => running(chat), { timeout: 20_000 }).toBe(0);
  });

  it('ends cleanly', () => expectCleanEnd('ai-chat.js', {}, '/sse?userId=ann'));

  it('takes each request of its api.http, at its own port', async () => {
    const chat = await startChat({ WORD_MS: '10000' });
    const { host, requests } = requestsIn(readFileSync('examples/express/ai-chat.api.http', 'utf8'));
    expect(host).toBe('http://localhost:3025');
    const statuses: number[] = [];
    for (const { method, path, headers, body } of requests.filter(({ path }) => !path.startsWith('/sse'))) {
      const { status } = await request(`${chat.url}${path}`, { method, headers, body });
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 202, 204, 200, 400]);
  });
});
