import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The files of {@link certificate}, for programs that read such themselves. */
export const certificateFiles = { key: pathOf('key.pem'), cert: pathOf('cert.pem') };

/** A self-signed certificate for localhost, valid for a hundred years; good for nothing but tests and benchmarks. */
export const certificate = {
  key: readFileSync(certificateFiles.key, 'utf8'),
  cert: readFileSync(certificateFiles.cert, 'utf8'),
};

function pathOf(name: string): string {
  return fileURLToPath(new URL(`certificate/${name}`, import.meta.url));
}
