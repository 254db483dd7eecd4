import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { type Example, postJson, request, startFile, startScript } from '../helpers/example.js';
import { Exposition } from '../helpers/exposition.js';
import { requestsIn } from './api-http.js';
import { expectBadBodiesRefused, expectBadUsersRefused, liveStream } from './refusals.js';

const FOLDER = 'examples/prometheus';

describe('npm run dev:prometheus', () => {
  let example: Example;
  beforeAll(async () => {
    example = await startScript('dev:prometheus');
  });
  afterAll(() => example.stop());

  const metrics = async () => new Exposition((await request(`${example.url}/metrics`)).text);

  it('is scraped, with the metrics of the process, as the hub changes', async () => {
    const { type, status } = await request(`${example.url}/metrics`);
    expect({ type, status }).toEqual({ type: 'text/plain; version=0.0.4; charset=utf-8', status: 200 });
    const before = await metrics();
    const hub = { hub: 'example' };
    expect(before.value('process_start_time_seconds')).toBeGreaterThan(1e9);
    expect(before.families.get('ssekify_connections')?.type).toBe('gauge');
    const stream = await liveStream(`${example.url}/sse?userId=ann&rooms=news`);
    await postJson(`${example.url}/notify/ann`, { event: 'note', data: 1 });
    await stream.event('note');
    const after = await metrics();
    const grown = (name: string) => after.value(name, hub) - before.value(name, hub);
    expect(after.value('ssekify_connections', hub)).toBe(1);
    expect(after.value('ssekify_rooms', hub)).toBe(1);
    // The first is that which tells the client that it is live.
    expect(grown('ssekify_frames_sent_total')).toBe(2);
    expect(grown('ssekify_replay_events')).toBe(1);
    const stats = (await request(`${example.url}/stats`)).json();
    expect(after.value('ssekify_frames_sent_total', hub)).toBe(stats.sent);
  });

  it('refuses bad input with a 4xx, and is scraped on', async () => {
    await expectBadUsersRefused(`${example.url}/sse`);
    for (const route of ['notify/ann', 'room/a', 'broadcast']) await expectBadBodiesRefused(`${example.url}/${route}`);
    expect((await request(`${example.url}/nothing`)).status).toBe(404);
    expect((await metrics()).value('ssekify_draining')).toBe(0);
  });

  it('takes each request of its api.http, at its own port, where its prometheus.yml scrapes', async () => {
    const { host, requests } = requestsIn(readFileSync(`${FOLDER}/api.http`, 'utf8'));
    expect(host).toBe('http://localhost:3075');
    for (const file of ['README.md', 'index.js']) expect(readFileSync(`${FOLDER}/${file}`, 'utf8')).toContain('3075');
    const { scrape_configs: jobs } = parse(readFileSync(`${FOLDER}/prometheus.yml`, 'utf8'));
    // Prometheus asks for /metrics when nothing else is said.
    expect(jobs).toEqual([{ job_name: 'ssekify', static_configs: [{ targets: ['localhost:3075'] }] }]);
    expect(requests.length).toBeGreaterThan(4);
    for (const { method, path, headers, body } of requests) {
      const url = example.url + path;
      if (path.startsWith('/sse')) await liveStream(url);
      else expect((await request(url, { method, headers, ...(body === '' ? {} : { body }) })).status, path).toBe(200);
    }
  });
});

it('ends by SIGTERM with code 0, after it has told its clients', async () => {
  const ending = await startFile(`${FOLDER}/index.js`);
  atEnd(ending.stop);
  const stream = await openStream(`${ending.url}/sse?userId=ann`);
  await stream.event('live');
  ending.signal('SIGTERM');
  await stream.event('server:shutdown');
  expect(await ending.over).toEqual({ code: 0, signal: null });
});
