import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { atEnd } from './cleanup.js';

/** Runs nginx with a whole configuration, given the folder for its files; resolves when it listens on the port. */
export async function startNginx(nginx: string, port: number, configuration: (dir: string) => string): Promise<void> {
  const dir = await folder();
  await writeFile(path.join(dir, 'nginx.conf'), configuration(dir));
  const args = ['-e', `${dir}/error.log`, '-p', dir, '-c', 'nginx.conf', '-g', 'daemon off;'];
  await started(spawn(nginx, args, { stdio: 'ignore' }), port);
}

/** Runs Caddy with a Caddyfile; resolves when it listens on the port. */
export async function startCaddy(caddy: string, port: number, caddyfile: string): Promise<void> {
  const dir = await folder();
  const file = path.join(dir, 'Caddyfile');
  await writeFile(file, caddyfile);
  const env = { ...process.env, HOME: dir, XDG_CONFIG_HOME: dir, XDG_DATA_HOME: dir };
  await started(spawn(caddy, ['run', '--adapter', 'caddyfile', '--config', file], { env, stdio: 'ignore' }), port);
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'ssekify-proxy-'));
  atEnd(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Ends with the test, before its folder goes. */
async function started(child: ChildProcess, port: number): Promise<void> {
  atEnd(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the proxy ended with ${child.exitCode}`);
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether somebody listens on the port; of when they do they tell nobody. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
