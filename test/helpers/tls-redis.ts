import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificate } from './certificate.js';
import { atEnd } from './cleanup.js';
import { freePort, type RedisServer, startRedis } from './redis.js';

export interface TlsRedisServer extends RedisServer {
  readonly tlsPort: number;
  /** `rediss://`, to the port that speaks TLS; `url` is that of the plain one, for the test's own commands. */
  readonly tlsUrl: string;
  /** A file with the certificate, which signed itself. */
  readonly caFile: string;
}

/** A real redis-server that speaks TLS on a second port, with the certificate of the tests. */
export async function startTlsRedis(): Promise<TlsRedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'ssekify-tls-'));
  atEnd(() => rm(dir, { recursive: true, force: true }));
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  await writeFile(certFile, certificate.cert);
  await writeFile(keyFile, certificate.key);
  const tlsPort = await freePort();
  const server = await startRedis([
    ...['--tls-port', String(tlsPort), '--tls-auth-clients', 'no'],
    ...['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile],
  ]);
  // Not spread: `pid` is a getter.
  return Object.assign(server, { tlsPort, tlsUrl: `rediss://127.0.0.1:${tlsPort}`, caFile: certFile });
}
