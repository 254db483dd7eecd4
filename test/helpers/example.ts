import { spawn } from 'node:child_process';
import http from 'node:http';

/** A running example, in a process group of its own. */
export interface Example {
  /** Where it listens. */
  readonly url: string;
  /** All it has printed so far. */
  readonly output: string;
  /** Resolves when the whole group is gone, with how its first process ended. */
  readonly over: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Sends a signal to the whole group, as a terminal does. */
  signal(signal: NodeJS.Signals): void;
  /** Ends the whole group, whatever state it is in, and waits until it is gone. */
  stop(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What the machine's own settings must not change in an example. */
const CLEAN: Environment = { REDIS_URL: undefined, SSE_CHANNEL: undefined };

/** Runs an npm script of this package, as its documentation says, and waits for the line with its address. */
export function startScript(script: string, env: Environment = {}): Promise<Example> {
  return startCommand('npm', ['run', script], env);
}

/** Runs a file with node, where what counts is how that very process ends; npm ends in its own way. */
export function startFile(file: string, env: Environment = {}): Promise<Example> {
  return startCommand(process.execPath, [file], env);
}

/** Runs any command that prints the address it listens on, in this folder or another. */
export async function startCommand(
  command: string,
  args: readonly string[],
  env: Environment,
  cwd = process.cwd(),
): Promise<Example> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...CLEAN, PORT: '0', ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  // The pipes close when no process of the group holds them any more: later than the first process' end.
  const over = new Promise<Awaited<Example['over']>>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const url = new Promise<string>((resolve, reject) => {
    const read = (chunk: string) => {
      output += chunk;
      const address = /https?:\/\/localhost:\d+(?=\s)/.exec(output);
      if (address !== null) resolve(address[0]);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    over.then(() => reject(new Error(`it ended before it listened:\n${output}`)), reject);
  });
  const signal = (name: NodeJS.Signals) => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, name);
    } catch (error) {
      // The group has ended already.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  return {
    url: await url,
    get output() {
      return output;
    },
    over,
    signal,
    async stop() {
      signal('SIGKILL');
      await over;
    },
  };
}

export interface Answer {
  status: number;
  type: string | undefined;
  headers: http.IncomingHttpHeaders;
  text: string;
  /** The body as JSON; throws when it is none. */
  json(): Record<string, unknown>;
}

export interface RequestOptions {
  method?: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string;
}

/** One request on a connection of its own, which leaves no socket behind. */
export function request(url: string, { method = 'GET', headers = {}, body }: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sending = http.request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        const { headers: received } = response;
        const type = received['content-type'];
        resolve({ status: response.statusCode ?? 0, type, headers: received, text, json: () => JSON.parse(text) });
      });
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

/** Posts a value as JSON. */
export function postJson(url: string, value: unknown, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
  return request(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(value),
  });
}
