import { certificateFiles } from './certificate.js';
import { freePort, type RedisServer, startRedis } from './redis.js';

export interface TlsRedisServer extends RedisServer {
  readonly tlsPort: number;
  /** `rediss://`, to the port that speaks TLS; `url` is that of the plain one, for the test's own commands. */
  readonly tlsUrl: string;
}

/** A real redis-server that speaks TLS on a second port, with the certificate of the tests. */
export async function startTlsRedis(): Promise<TlsRedisServer> {
  const { cert, key } = certificateFiles;
  const tlsPort = await freePort();
  const server = await startRedis([
    ...['--tls-port', String(tlsPort), '--tls-auth-clients', 'no'],
    ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert],
  ]);
  // Not spread: `pid` is a getter.
  return Object.assign(server, { tlsPort, tlsUrl: `rediss://127.0.0.1:${tlsPort}` });
}
