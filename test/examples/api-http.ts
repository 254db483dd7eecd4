/** Reads files of requests as editors run them: parts between `###` lines, and variables `@name = value`. */
export interface ApiRequest {
  readonly method: string;
  /** What follows the host. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `''` when there is none. */
  readonly body: string;
}

export function requestsIn(text: string): { host: string; requests: ApiRequest[] } {
  const [head = '', ...parts] = text.split(/^###.*$/m);
  const host = /^@host = (\S+)$/m.exec(head)?.[1];
  if (host === undefined) throw new Error('it does not say which host');
  return { host, requests: parts.map(requestIn) };
}

function requestIn(part: string): ApiRequest {
  const [top = '', ...body] = part.trim().split(/\n\n/);
  const [line = '', ...headers] = top.split('\n');
  const [, method, path] = /^([A-Z]+) \{\{host\}\}(\/\S*)$/.exec(line) ?? [];
  if (method === undefined || path === undefined) throw new Error(`no request in:\n${part}`);
  const pairs = headers.map((header) => /^([\w-]+): (.+)$/.exec(header) ?? []);
  return {
    method,
    path,
    headers: Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value])),
    body: body.join('\n\n'),
  };
}
