import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacksBrowser, launchBrowser } from '../helpers/browser.js';
import { atEnd } from '../helpers/cleanup.js';
import { startScript } from '../helpers/example.js';
import { lacksUpstream, startUpstream } from '../helpers/upstream.js';

const python = lacksUpstream();

describe.skipIf(lacksBrowser || python)('the page of the lazy bridge', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  it('shows what the upstream says while it is connected, and when the upstream was let go', async () => {
    const upstream = await startUpstream();
    const bridge = await startScript('dev:bridge:lazy', { PY_SSE_URL: upstream.url, BRIDGE_IDLE_GRACE_MS: '100' });
    atEnd(bridge.stop);
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', ({ message }) => problems.push(message));
    atEnd(async () => {
      await page.close();
      expect(problems).toEqual([]);
    });
    await page.goto(bridge.url);
    const state = (text: string) => page.locator('#state', { hasText: text }).waitFor();
    await state('closed');
    expect(await upstream.streams()).toBe(0);
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.locator('#events', { hasText: /tick \{"n":\d+/ }).waitFor();
    await state('open');
    await page.getByRole('button', { name: 'Leave' }).click();
    await state('closed');
    await expect.poll(() => upstream.streams()).toBe(0);
  });
});
