import { expect } from 'vitest';
import { openStream, type StreamClient } from '../../helpers/client.js';
import type { Program } from '../sandbox.js';

export interface Run {
  before?: string;
  after?: string;
  /** It needs a redis-server. */
  redis?: boolean;
  /** What the program gets as environment. */
  env?(): Promise<Record<string, string>>;
  /** Without it the program has to end by itself, with exit code 0. */
  drive?(program: Program, start: (name: string, env?: Record<string, string>) => Program): Promise<void>;
}

export const HUB = "import { SSEKify } from 'ssekify';\nconst sse = new SSEKify();\n";
export const EXPRESS = `import express from 'express';\nconst app = express();\n${HUB}`;
export const LISTEN = 'app.listen(3000);';

/** The block runs when a client of Ann's came. */
export const PER_CLIENT: Pick<Run, 'before' | 'after'> = {
  before: `import http from 'node:http';\n${HUB}http.createServer(async (req, res) => {
  sse.registerConnection('ann', res, { rooms: ['news'] });`,
  after: '}).listen(3000);',
};

/** Serves what the block's hub has recorded: whoever comes with an id that is not known gets a gap, and all of it. */
export const SERVE_RECENT = `
const { createServer } = await import('node:http');
createServer((req, res) => { sse.registerConnection('ann', res); }).listen(3000);
`;

/** What Node 20 lacks and a browser has, at the place where the test serves. */
export const BROWSER = `
import { EventSource as Standard } from 'eventsource';
const place = (url) => new URL(url, process.env.BASE);
const firstHeaders = process.env.LAST_ID ? { 'Last-Event-ID': process.env.LAST_ID } : {};
globalThis.EventSource = class extends Standard {
  constructor(url) {
    super(place(url), {
      fetch: (input, init) => nodeFetch(input, { ...init, headers: { ...init.headers, ...firstHeaders } }),
    });
  }
};
const nodeFetch = globalThis.fetch;
globalThis.fetch = (url, init) => nodeFetch(place(url), init);
`;

export const json = (text: string | undefined): unknown => JSON.parse(text ?? '');

export async function post(url: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return response.json();
}

export async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
}

/** Data of the first event of a program whose hub sent it before anyone came. */
export async function firstRecorded(program: Program): Promise<string> {
  const client = await openStream(await program.url(), { lastEventId: 'not-known' });
  const [gap, first] = await client.received(2);
  expect(gap?.event).toBe('server:gap');
  return first?.data ?? '';
}

export async function greeted(program: Program, text: string, path = '/sse'): Promise<StreamClient> {
  const client = await openStream(`${await program.url()}${path}`);
  const [first] = await client.received(1);
  expect(client.status).toBe(200);
  expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  expect(json(first?.data)).toBe(text);
  return client;
}
