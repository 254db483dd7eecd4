import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import { buildImage, type Image, readStages } from '../../helpers/dockerfile.js';
import { type Example, startCommand } from '../../helpers/example.js';
import { liveStream } from '../refusals.js';

const DOCKERFILE = 'examples/deploy/Dockerfile';
const stages = readStages(DOCKERFILE);
const last = stages.at(-1)?.instructions ?? [];
const textOf = (name: string) => last.filter((each) => each.name === name).map(({ text }) => text);

/** The words of an instruction in the form that no shell reads. */
const wordsOf = (text = ''): string[] => JSON.parse(text.slice(text.indexOf('[')));

const ignored = readFileSync(`${DOCKERFILE}.dockerignore`, 'utf8').split('\n');
const allowed = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));

describe('the Dockerfile', () => {
  it('builds in one stage and runs in another, of an image with a fixed major version', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', '']);
    for (const { image } of stages) expect(image).toMatch(/^node:\d+-[a-z-]+$/);
  });

  it('runs as a user that is not root, given as a number', () => {
    expect(textOf('USER')).toEqual([expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
    const names = last.map(({ name }) => name);
    expect(names.lastIndexOf('USER')).toBeGreaterThan(names.lastIndexOf('COPY'));
    expect(names.indexOf('USER')).toBeLessThan(names.indexOf('CMD'));
    expect(names).not.toContain('RUN');
  });

  it('takes nothing but what it names from outside, and no secret', () => {
    expect(ignored.find((line) => line !== '' && !line.startsWith('#'))).toBe('*');
    expect(stages.flatMap(({ instructions }) => instructions).filter(({ name }) => name === 'ADD')).toEqual([]);
    for (const name of ['ARG', 'ENV']) expect(textOf(name).join(' ')).not.toMatch(/SECRET|TOKEN|PASSWORD|KEY/i);
    // The whole repository is not copied.
    expect(allowed.filter((name) => /^(\.|node_modules|dist|test)/.test(name))).toEqual([]);
  });

  it('is built with locked versions, without scripts of packages', () => {
    const commands = stages[0]?.instructions.filter(({ name }) => name === 'RUN').map(({ text }) => text) ?? [];
    expect(commands[0]).toMatch(/^npm ci .*--ignore-scripts/);
    expect(commands.join('\n')).not.toMatch(/npm (install|i) /);
  });
});

describe('what the Dockerfile makes', () => {
  let image: Image;
  const into = mkdtempSync(path.join(tmpdir(), 'ssekify-image-'));
  beforeAll(async () => {
    image = await buildImage(stages, { folder: process.cwd(), allowed, args: {} }, into);
    // Installing all packages is most of it.
  }, 300_000);
  afterAll(() => rmSync(into, { recursive: true, force: true }));

  const app = () => path.join(image.root, image.workdir);
  const packages = () => readdirSync(path.join(app(), 'node_modules'));

  async function start(env: Readonly<Record<string, string>>): Promise<Example> {
    const [command = '', ...args] = wordsOf(textOf('CMD')[0]);
    const example = await startCommand(command, args, { ...image.env, PORT: '0', ...env }, app());
    atEnd(example.stop);
    return example;
  }

  function health(example: Example, env: Readonly<Record<string, string>> = {}): number | null {
    const [, test = ''] = /(CMD .+)$/.exec(textOf('HEALTHCHECK')[0] ?? '') ?? [];
    const [command = '', ...args] = wordsOf(test);
    const PORT = new URL(example.url).port;
    return spawnSync(command, args, { cwd: app(), env: { PATH: process.env.PATH, ...image.env, PORT, ...env } }).status;
  }

  it('has what the server needs, and nothing that builds or tests it', () => {
    expect(packages()).toEqual(expect.arrayContaining(['express', 'ioredis']));
    for (const name of ['typescript', 'vitest', 'tsup', 'playwright-core', 'egg', 'koa'])
      expect(packages()).not.toContain(name);
    for (const name of ['src', 'test', '.git', 'package-lock.json'])
      expect(existsSync(path.join(app(), name))).toBe(false);
  });

  it('serves streams, is healthy while it does, and ends by SIGTERM with code 0', async () => {
    const example = await start({ GRACE_MS: '500' });
    expect(health(example)).toBe(0);
    expect(health(example, { HEALTH_PATH: '/nothing' })).toBe(1);
    const stream = await liveStream(`${example.url}/sse?userId=ann`);
    example.signal('SIGTERM');
    await stream.event('server:shutdown');
    expect(await example.over).toEqual({ code: 0, signal: null });
    expect(health(example)).toBe(1);
  });

  it.each([
    ['examples/deploy/server.js', ['express', 'ioredis']],
    ['examples/express/bridge-lazy.js', ['eventsource', 'express', 'ioredis']],
    ['examples/auth/jwt.mjs', ['express', 'ioredis', 'jose']],
    ['examples/koa/index.js', ['@koa/bodyparser', '@koa/router', 'ioredis', 'koa']],
    ['examples/egg/index.js', ['egg', 'ioredis']],
  ])('has for %s what it loads', (file, expected) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'ssekify-packages-'));
    atEnd(() => rmSync(folder, { recursive: true, force: true }));
    for (const name of ['package.json', 'package-lock.json', 'examples']) {
      cpSync(name, path.join(folder, name), { recursive: true });
    }
    const { status, stderr } = spawnSync(process.execPath, ['examples/deploy/runtime-packages.js', file], {
      cwd: folder,
    });
    expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' });
    const before = JSON.parse(readFileSync('package.json', 'utf8')).devDependencies;
    const dependencies = Object.fromEntries(expected.map((name) => [name, before[name]]));
    const { packages } = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8'));
    for (const described of [JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')), packages['']]) {
      expect(described.dependencies).toEqual(dependencies);
      expect(described.devDependencies).toBeUndefined();
    }
  });

  it('takes the file and the path of its health as arguments of the build', () => {
    expect(textOf('ARG')).toEqual(['EXAMPLE_PATH=examples/deploy/server.js', 'HEALTH_PATH=/healthz']);
    expect(image.env).toMatchObject({ EXAMPLE_PATH: 'examples/deploy/server.js', HEALTH_PATH: '/healthz' });
  });
});
