import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacksBrowser, launchBrowser } from '../helpers/browser.js';
import { atEnd } from '../helpers/cleanup.js';
import { type Example, postJson, startScript } from '../helpers/example.js';

describe.skipIf(lacksBrowser)('the page of the demo', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** A fresh demo with its page open; what goes wrong inside the page fails the test. */
  async function open(): Promise<{ demo: Example; page: Page; ann: Client; bob: Client }> {
    const demo = await startScript('demo', { SSE_RETRY_MS: '20' });
    atEnd(demo.stop);
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const problems: string[] = [];
    page.on('pageerror', ({ message }) => problems.push(message));
    atEnd(async () => {
      await page.close();
      expect(problems).toEqual([]);
    });
    await page.goto(demo.url);
    const clients = page.locator('.pane');
    return { demo, page, ann: new Client(clients.nth(0)), bob: new Client(clients.nth(1)) };
  }

  /** Sends by the form, and waits for the server's answer. */
  async function send(page: Page, target: string, text: string): Promise<unknown> {
    await page.getByRole('radio', { name: target, exact: true }).check();
    await page.getByLabel('Text or JSON').fill(text);
    const answered = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    return (await answered).json();
  }

  it('shows what is sent to a user, a room and everyone to those it is for', async () => {
    const { page, ann, bob } = await open();
    await ann.connect();
    await bob.connect();
    expect(await send(page, 'ann', 'for ann')).toEqual({ reached: 1 });
    await page.getByRole('radio', { name: 'a room' }).check();
    await page.getByRole('textbox', { name: 'Room', exact: true }).fill('sport');
    expect(await send(page, 'a room', 'for sport')).toEqual({ reached: 1 });
    expect(await send(page, 'everyone', 'for all')).toEqual({ reached: 2 });
    await ann.shows('for all');
    await bob.shows('for all');
    expect(await ann.texts()).toEqual(['{"hello":"ann"}', 'for ann', 'for all']);
    expect(await bob.texts()).toEqual(['{"hello":"bob"}', 'for sport', 'for all']);
    expect(await bob.replayed()).toEqual([]);
    await page.locator('[data-stat=connections]', { hasText: '2' }).waitFor();
  });

  it('shows a client that comes back what it missed, marked as replayed, once and in order', async () => {
    const { page, ann, bob } = await open();
    await ann.connect();
    await bob.connect();
    await send(page, 'bob', 'before');
    await bob.shows('before');
    await bob.press('Drop', 'dropped');
    await page.locator('[data-stat=connections]', { hasText: '1' }).waitFor();
    expect(await send(page, 'bob', 'missed 1')).toEqual({ reached: 0 });
    await send(page, 'ann', 'not for bob');
    await send(page, 'a room', 'missed 2');
    await send(page, 'everyone', 'missed 3');
    await send(page, 'bob', '{"missed":4}');
    await bob.press('Bring back', 'live');
    await send(page, 'everyone', 'after');
    await bob.shows('after');
    const missed = ['missed 1', 'missed 2', 'missed 3', '{"missed":4}'];
    expect(await bob.texts()).toEqual(['{"hello":"bob"}', 'before', ...missed, 'after']);
    expect(await bob.replayed()).toEqual(missed);
    await ann.shows('after');
    expect(await ann.replayed()).toEqual([]);
  });

  it('misses nothing of a client that is dropped before anything was sent to it', async () => {
    const { page, ann } = await open();
    await ann.connect();
    await ann.press('Drop', 'dropped');
    await send(page, 'ann', 'first of all');
    await ann.press('Bring back', 'live');
    await ann.shows('first of all');
    expect(await ann.replayed()).toEqual(['first of all']);
  });

  it('says so when more was missed than is kept', async () => {
    const { page, ann } = await open();
    await ann.connect();
    await ann.press('Drop', 'dropped');
    await page.getByRole('radio', { name: 'ann', exact: true }).check();
    let answers = 0;
    const burst = page.waitForResponse((response) => {
      if (response.request().method() === 'POST') answers += 1;
      return answers === 25;
    });
    await page.getByRole('button', { name: 'Send 25' }).click();
    await burst;
    await ann.press('Bring back', 'live');
    await ann.root.locator('.note.gap', { hasText: 'gap' }).waitFor();
    expect(await ann.replayed()).toEqual(Array.from({ length: 20 }, (_, n) => `Hello ${n + 6}`));
  });

  it('lets the browser itself bring back a client whose stream the server ended', async () => {
    const { ann, bob } = await open();
    await ann.connect();
    await bob.connect();
    await ann.root.getByRole('button', { name: 'Close by server' }).click();
    // The page says so when the server tells that it was asked to resume.
    await ann.root.getByText('caught up, live again').waitFor();
    expect(await bob.root.getByText('connection lost').count()).toBe(0);
  });

  it('shows events of a name that is typed into its form', async () => {
    const { page, ann } = await open();
    await ann.connect();
    await page.getByRole('textbox', { name: 'Event' }).fill('order:shipped');
    await send(page, 'ann', 'on its way');
    await ann.shows('on its way');
    expect(await ann.root.locator('.name').last().textContent()).toBe('order:shipped');
  });

  it('shows text from outside as text', async () => {
    const { demo, page, ann } = await open();
    await ann.connect();
    const markup = '<img src=x onerror="document.title = 1"><b>bold</b>';
    await postJson(`${demo.url}/broadcast`, { text: markup });
    await ann.shows(markup);
    expect(await ann.root.locator('.data b, .data img').count()).toBe(0);
    expect(await page.title()).toBe('ssekify demo');
  });

  it('tells when the server refuses a client', async () => {
    const { ann } = await open();
    await ann.root.getByLabel('User').fill('');
    await ann.press('Connect', 'refused');
    await ann.root.getByLabel('User').fill('anna');
    await ann.connect();
  });

  it('tells when the server shuts down', async () => {
    const { demo, ann } = await open();
    await ann.connect();
    demo.signal('SIGTERM');
    await ann.root.getByText('the server shuts down').waitFor();
  });

  it('fits a phone', async () => {
    const { page, ann } = await open();
    await page.setViewportSize({ width: 360, height: 740 });
    await ann.connect();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  });
});

/** One of the two clients on the page. */
class Client {
  readonly root: Locator;

  constructor(root: Locator) {
    this.root = root;
  }

  async press(button: string, state: string): Promise<void> {
    await this.root.getByRole('button', { name: button }).click();
    await this.root.getByRole('status').getByText(state, { exact: true }).waitFor();
  }

  connect(): Promise<void> {
    return this.press('Connect', 'live');
  }

  shows(text: string): Promise<void> {
    return this.root.locator('.data').getByText(text, { exact: true }).waitFor();
  }

  texts(): Promise<string[]> {
    return this.root.locator('.event .data').allTextContents();
  }

  replayed(): Promise<string[]> {
    return this.root.locator('.event').filter({ hasText: 'replayed' }).locator('.data').allTextContents();
  }
}
