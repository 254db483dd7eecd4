import { afterSilence } from '../settling.js';
import type { Link } from './link.js';

const READY_MS = 4000;

/**
 * Renews a link on whose connection nobody answers: clients wait without end for the first answer.
 *
 * @param waits - whether the client waits for it
 * @returns what is to be called when a connection was accepted
 */
export function renewUnlessReady(link: Link, waits: () => boolean, tell: (error: Error) => void): () => void {
  const look = () => {
    if (!waits()) return;
    tell(new Error(`not ready in ${READY_MS} ms`));
    link.renew();
  };
  let cancel: (() => void) | undefined;
  return () => {
    cancel?.();
    cancel = afterSilence(READY_MS, look);
  };
}
