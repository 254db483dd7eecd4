import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Cluster } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, createNodeRedisAdapter, createRedisStreamAdapter } from '../../src/index.js';
import { askUntil } from '../helpers/ask-until.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { startCluster } from '../helpers/cluster.js';
import { collect } from '../helpers/emitted.js';
import { program, skipping } from '../helpers/programs.js';
import { startNginx } from '../helpers/proxy-program.js';
import { freePort, startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';
import { blockNamed, codeIn, ROOT, readDocument } from './markdown.js';

describe('commands of the README', () => {
  const { name, scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
    name: string;
    scripts: Record<string, string>;
  };

  it('begins with the two lines for a fresh clone, and their scripts exist', () => {
    const lines = blockNamed('clone').code.split('\n');
    expect(lines).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['demo', 'test']));
    expect(blockNamed('clone').line).toBeLessThan(40);
  });

  it('tells contributors of scripts, projects and folders that exist', () => {
    const { code } = blockNamed('contributing-commands');
    const { text } = readDocument('docs/contributing.md');
    const named = [...code.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script);
    expect(named.length).toBeGreaterThan(4);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
    const config = readFileSync(`${ROOT}vitest.config.mts`, 'utf8');
    for (const [, project] of code.matchAll(/--project (\S+)/g)) expect(config).toContain(`name: '${project}'`);
    const paths = `${code} ${text}`.matchAll(/(?<=[ `])(?:src|test|bench|examples|\.ci)(?:\/[\w.-]+)*\b(?=[ `,:])/g);
    const missing = [...paths].filter(([path]) => !existsSync(ROOT + path)).map(([path]) => path);
    expect(missing).toEqual([]);
  });

  it('installs this package', () => {
    expect(blockNamed('install').code).toBe(`npm install ${name}`);
  });
});

const nginx = program('nginx');

describe.skipIf(nginx.skip)('nginx as the README configures it', () => {
  it('lets events through at once', async () => {
    const { sse, port, handle } = await serveHub();
    const proxyPort = await freePort();
    const location = blockNamed('nginx').code.replace('127.0.0.1:3000', `127.0.0.1:${port}`);
    expect(location).not.toContain(':3000');
    await startNginx(nginx.path, proxyPort, (dir) => {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((each) => `${each}_temp_path ${dir}/${each};`)
        .join('\n');
      return `master_process off;\npid ${dir}/pid;\nerror_log ${dir}/error.log;\nevents {}\nhttp {\n${temporary}
access_log off;\nserver {\nlisten 127.0.0.1:${proxyPort};\n${location}\n}\n}\n`;
    });
    const client = await openStream(`http://127.0.0.1:${proxyPort}/sse`);
    await handle(0);
    sse.sendToAll('through');
    expect((await client.received(1))[0]?.data).toBe('"through"');
  });
});

/** Stands in for the library `redis` of Python, which may not be installed: the two commands, over a socket. */
const PYTHON_REDIS = `
import socket, types
class Redis:
    def __init__(self, port):
        self.port = port
    def command(self, *parts):
        parts = [str(part).encode() for part in parts]
        with socket.create_connection(('127.0.0.1', self.port), timeout=5) as connection:
            connection.sendall(b'*%d\\r\\n' % len(parts) + b''.join(b'$%d\\r\\n%s\\r\\n' % (len(part), part) for part in parts))
            return connection.makefile().readline()
    def publish(self, channel, message):
        return self.command('PUBLISH', channel, message)
    def xadd(self, name, fields, maxlen):
        return self.command('XADD', name, 'MAXLEN', '~', maxlen, '*', *[part for field in fields.items() for part in field])
redis = types.SimpleNamespace(Redis=Redis)
`;

const redisServer = program('redis-server');
const noPython = !runs('python3') && !redisServer.skip;
if (noPython) skipping('python3 is not installed');

function runs(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(redisServer.skip)('Redis as the README says', () => {
  /** Runs lines without holding up the hub they publish to. */
  async function run(command: string, args: readonly string[]): Promise<string> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [code] = await once(child, 'close');
    expect({ code, output }).toMatchObject({ code: 0 });
    return output;
  }

  it('is published into by redis-cli', async () => {
    const redis = await startRedis();
    const { sse, url } = await serveHub({ hub: { redis: redis.url } });
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    const line = blockNamed('redis-cli').code;
    expect(line).toMatch(/^redis-cli PUBLISH [^\n]+$/);
    expect(await run('sh', ['-c', line.replace('redis-cli', `redis-cli -p ${redis.port}`)])).toBe('1\n');
    expect(JSON.parse((await client.event('notice')).data)).toEqual({ text: 'From the shell' });
    expect(sse.stats().bus).toMatchObject({ received: 1, invalid: 0 });
  });

  it.skipIf(noPython)('is published into by Python, without a library', async () => {
    const redis = await startRedis();
    const { sse, url } = await serveHub({ hub: { redis: redis.url } });
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    const { code } = blockNamed('python-socket');
    expect(code).toContain('port=6379');
    const script = `${code.replace('6379', String(redis.port))}\nprint(publish({'type': 'all', 'data': 'Grüße\\n'}))`;
    expect(await run('python3', ['-c', script])).toBe('1\n');
    await client.received(2);
    expect(client.events).toMatchObject([{ event: 'job:done', id: 'job-17' }, { id: undefined }]);
    expect(client.events.map(({ data }) => JSON.parse(data))).toEqual([{ result: 42 }, 'Grüße\n']);
    // It is replayed like any other, since it has an id.
    await sse.publishToUser('ann', 'later');
    await client.received(3);
    client.close();
    const again = await openStream(`${url}/ann`, { lastEventId: 'job-17' });
    expect(JSON.parse((await again.received(1))[0]?.data ?? '')).toBe('later');
  });

  it.skipIf(noPython)('is published into, and appended to, by Python with the library', async () => {
    const redis = await startRedis();
    const streams = createRedisStreamAdapter(redis.url);
    for (const [block, adapter] of [['python', redis.url] as const, ['lossless-python', streams] as const]) {
      const { sse, url } = await serveHub({ hub: { redis: adapter } });
      await sse.ready();
      const client = await openStream(`${url}/ann`);
      const { code } = blockNamed(block);
      expect(code).toContain('import json, redis\n');
      await run('python3', [
        '-c',
        code.replace('import json, redis', `import json\n${PYTHON_REDIS}`).replace('6379', String(redis.port)),
      ]);
      expect(JSON.parse((await client.event('job:done')).data)).toEqual({ result: 42 });
      client.close();
    }
  });

  it('is appended to by redis-cli, in lossless mode', async () => {
    const redis = await startRedis();
    const { sse, url } = await serveHub({ hub: { redis: createRedisStreamAdapter(redis.url) } });
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    const line = blockNamed('lossless-redis-cli').code;
    expect(line).toMatch(/^redis-cli XADD [^\n]+$/);
    const id = (await run('sh', ['-c', line.replace('redis-cli', `redis-cli -p ${redis.port}`)])).trim();
    const event = await client.event('notice');
    expect([event.id, JSON.parse(event.data)]).toEqual([id, { text: 'From the shell' }]);
    expect(sse.stats().bus).toMatchObject({ received: 1, invalid: 0 });
  });

  it('lets a hub in lossless mode do what it has to, and nothing else, by its ACL', async () => {
    const redis = await startRedis();
    const replica = await startRedis(['--replicaof', `127.0.0.1 ${redis.port}`, '--repl-diskless-sync-delay', '0']);
    await askUntil(redis.client(), ['INFO', 'replication'], 'state=online');
    const admin = redis.client();
    const line = blockNamed('lossless-acl').code;
    expect(line).toMatch(/^ACL SETUSER ssekify on >a-long-password [^\n]+$/);
    const [command = '', ...args] = line.split(' ');
    expect(await admin.call(command, ...args)).toBe('OK');
    const login = redis.url.replace('//', '//ssekify:a-long-password@');
    const options = { durable: true, ringMaxBytes: 2000 };
    const { sse, url } = await serveHub({ hub: { redis: createRedisStreamAdapter(login, options) } });
    const errors = collect(sse, 'error');
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    const publish = (key: string) => sse.publishToUser('ann', { streamId: 'key', key }, { key });
    const [first] = await Promise.all([publish('one'), publish('one'), publish('two')]);
    const events = await client.received(3);
    expect(events.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data))).toMatchObject([
      { key: 'one', seq: 0 },
      { key: 'two', seq: 1 },
    ]);
    client.close();
    // So many that the log is trimmed, and that Redis has to be read for what comes after the first of them.
    for (let n = 0; n < 64; n += 1) await sse.publishToUser('ann', n);
    const again = await openStream(`${url}/ann`, { lastEventId: first?.id ?? '' });
    await again.received(65);
    expect(sse.stats().log.resumesFromRedis).toBe(1);
    // When the log is gone the next one is marked.
    await admin.del('{ssekify:bus}:log');
    expect(JSON.parse((await again.event('server:gap')).data)).toMatchObject({ reason: 'reset' });
    expect(await admin.call('ACL', 'DRYRUN', 'ssekify', 'FLUSHALL')).toMatch(/no permissions/);
    expect(await admin.call('ACL', 'DRYRUN', 'ssekify', 'GET', 'other')).toMatch(/no permissions/);
    expect(errors).toEqual([]);
    const refused = String(await admin.call('ACL', 'LOG')).match(/\b(?:command|channel|key),(?:toplevel|lua),(\w+)/g);
    expect(refused?.filter((each) => !/client/i.test(each)) ?? []).toEqual([]);
    await replica.kill();
  });

  it.each([
    ['ioredis', createIORedisAdapter],
    ['redis', createNodeRedisAdapter],
  ])('lets %s do with the ACL what a hub does, and nothing else', async (_, createAdapter) => {
    const redis = await startRedis();
    const admin = redis.client();
    const line = blockNamed('acl').code;
    expect(line).toMatch(/^ACL SETUSER ssekify on >a-long-password [^\n]+$/);
    const [command = '', ...args] = line.split(' ');
    expect(await admin.call(command, ...args)).toBe('OK');
    const login = redis.url.replace('//', '//ssekify:a-long-password@');
    const { sse, url } = await serveHub({ hub: { redis: createAdapter(login) } });
    const errors = collect(sse, 'error');
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    await sse.publishToUser('ann', { text: 'plain' });
    await sse.publishToUser('ann', { streamId: 'key', text: 'numbered' });
    const events = await client.received(2);
    expect(JSON.parse(events[1]?.data ?? '')).toMatchObject({ text: 'numbered', seq: 0 });
    const kv = createAdapter(login);
    expect(await kv.incr?.('ssekify:seq:own')).toBe(1);
    await kv.pexpire?.('ssekify:seq:own', 1000);
    await expect(kv.publish('other', 'x')).rejects.toThrow('NOPERM');
    await expect(kv.incr?.('other')).rejects.toThrow('NOPERM');
    await kv.close?.();
    expect(await admin.call('ACL', 'DRYRUN', 'ssekify', 'FLUSHALL')).toMatch(/no permissions/);
    expect(errors).toEqual([]);
    // Nothing was refused to it that it asked for by itself.
    const refused = String(await admin.call('ACL', 'LOG')).match(/\b(?:command|channel|key),(?:toplevel|lua),(\w+)/g);
    expect(refused?.filter((each) => !/client|other|incr|publish/i.test(each)) ?? []).toEqual([]);
  });

  it.each([
    ['README.md', 'acl', createIORedisAdapter] as const,
    ['docs/lossless.md', 'lossless-acl', createRedisStreamAdapter] as const,
  ])('needs on a Cluster what %s adds to its ACL', async (file, block, createAdapter) => {
    const added = codeIn(/^On a Cluster add (.+), on every node\./m.exec(readDocument(file).text)?.[1]);
    expect(added).toHaveLength(3);
    const { nodes, addresses } = await startCluster();
    const [command = '', ...args] = blockNamed(block).code.split(' ');
    for (const { direct } of nodes) await direct.call(command, ...args, ...added);
    const redisOptions = { username: 'ssekify', password: 'a-long-password' };
    const cluster = new Cluster([...addresses], { lazyConnect: true, redisOptions });
    atEnd(() => cluster.disconnect());
    const { sse, url } = await serveHub({ hub: { redis: createAdapter(cluster) } });
    const errors = collect(sse, 'error');
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    await sse.publishToUser('ann', 'plain');
    await sse.publishToUser('ann', { streamId: 'key' });
    await client.until(({ events }) => events.filter(({ data }) => data !== '').length === 2);
    expect(JSON.parse(client.events.filter(({ data }) => data !== '')[1]?.data ?? '')).toMatchObject({ seq: 0 });
    expect(errors).toEqual([]);
  });
});
