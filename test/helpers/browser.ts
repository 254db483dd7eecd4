import { type Browser, chromium } from 'playwright-core';
import { program } from './programs.js';

const found = program('chromium');

/** Whether tests that need a browser have to be skipped. */
export const lacksBrowser = found.skip;

/** Without a sandbox, since tests run as root in containers; and without the calls home of a fresh profile. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** This machine's Chromium. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: found.path, args: ARGUMENTS });
}
