import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Cluster } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, createNodeRedisAdapter } from '../../src/index.js';
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
    const { code } = blockNamed('python');
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

  it('needs on a Cluster what the README adds to the ACL', async () => {
    const added = codeIn(/^On a Cluster add (.+), on every node\./m.exec(readDocument('README.md').text)?.[1]);
    expect(added).toHaveLength(3);
    const { nodes, addresses } = await startCluster();
    const [command = '', ...args] = blockNamed('acl').code.split(' ');
    for (const { direct } of nodes) await direct.call(command, ...args, ...added);
    const redisOptions = { username: 'ssekify', password: 'a-long-password' };
    const cluster = new Cluster([...addresses], { lazyConnect: true, redisOptions });
    atEnd(() => cluster.disconnect());
    const { sse, url } = await serveHub({ hub: { redis: createIORedisAdapter(cluster) } });
    const errors = collect(sse, 'error');
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    await sse.publishToUser('ann', 'plain');
    await sse.publishToUser('ann', { streamId: 'key' });
    expect(JSON.parse((await client.received(2))[1]?.data ?? '')).toMatchObject({ seq: 0 });
    expect(errors).toEqual([]);
  });
});
