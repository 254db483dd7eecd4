import { expect } from 'vitest';
import { openStream } from '../../helpers/client.js';
import { BROWSER, json, type Run } from './context.js';

/** As much of a worker as a block needs: its streams are those of a pool, and what comes of it is sent to whoever is first there. */
const worker = `
class Messenger extends EventEmitter {
  sendToApp(action, data) {
    process.nextTick(() => this.emit(action, data));
  }
}
const messenger = new Messenger();
const app = { messenger, sse: new EggSSE({}, messenger) };
http.createServer((req, res) => {
  app.sse.hub.registerConnection(new URL(req.url ?? '', 'http://egg').searchParams.get('connectKey') ?? '', res);
}).listen(3000);
`;

const WORKER_CJS = `
const { EventEmitter, once } = require('node:events');
const http = require('node:http');
const { EggSSE } = require('ssekify/egg');${worker}`;

const WORKER_ESM = `
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { EggSSE } from 'ssekify/egg';${worker}`;

/** The page on the plugin. How the plugin does in Egg itself is for test/examples/egg-plugin.test.ts. */
export const EGG_RUNS: Readonly<Record<string, Run>> = {
  'egg-plugin': {
    after: `
const { eggPlugin } = require(\`\${exports.sse.package}/package.json\`);
if (!exports.sse.enable || eggPlugin.name !== 'sse') throw new Error('Egg would not find it');`,
  },

  'egg-config': {
    after: `${WORKER_CJS}
const { settings, hub } = new EggSSE(exports.sse, messenger);
if (settings.hub.maxConnections !== 5000) throw new Error('it was not read');
process.exit();`,
    env: async () => ({ REDIS_URL: '' }),
  },

  'egg-client': {
    before: BROWSER,
    env: async () => ({ BASE: 'http://127.0.0.1:1' }),
    async drive(_, start) {
      const page = start('egg-client', { BASE: await start('egg-publish').url() });
      await page.printed('text goes as it is');
      await page.printed("title: 'Extra'");
    },
  },

  'egg-publish': {
    before: `${WORKER_ESM}await once(app.sse.hub, 'connect');\n`,
    async drive(program) {
      const news = await openStream(`${await program.url()}/stream?connectKey=news`);
      await news.until(({ comments }) => comments.length > 0);
      const [text, headline, all] = await news.received(3);
      expect(text).toMatchObject({ event: undefined, data: 'text goes as it is, without a name' });
      expect(json(headline?.data)).toMatchObject({ title: 'Extra' });
      expect([headline?.event, all?.id, news.retries]).toEqual(['headline', 'a-1', [2000, 3000]]);
      expect(news.comments).toEqual(['a comment, which no listener sees']);
    },
  },

  'egg-guard': {
    after: `
const heard = [];
const ask = (connectKey) => module.exports()(
  { query: { connectKey }, session: { userId: 'ann' }, throw: (status) => { throw new Error(String(status)); } },
  async () => { heard.push(connectKey); },
);
ask('ann').then(() => ask('bob')).catch(({ message }) => heard.push(message)).then(() => {
  if (String(heard) !== 'ann,403') throw new Error(String(heard));
});`,
  },

  'egg-schedule': {
    after: `${WORKER_CJS}
app.sse.hub.once('connect', () => module.exports.task({ app }));`,
    async drive(program) {
      const clock = await openStream(`${await program.url()}/stream?connectKey=clock`);
      expect(json((await clock.event('time')).data)).toMatchObject({ now: expect.any(Number) });
    },
  },

  'egg-each': {
    after: `${WORKER_CJS}
module.exports(app);
app.sse.hub.once('connect', () => app.messenger.sendToApp('news', 'told'));`,
    async drive(program) {
      const news = await openStream(`${await program.url()}/stream?connectKey=news`);
      expect(await news.received(1)).toMatchObject([{ data: 'told' }]);
    },
  },

  'egg-agent': {
    before: 'const latestPrice = async () => 42;',
    after: `${WORKER_CJS}
module.exports(app);
app.messenger.sendToApp('egg-ready', undefined);`,
    async drive(program) {
      const prices = await openStream(`${await program.url()}/stream?connectKey=prices`);
      expect(await prices.event('price')).toMatchObject({ data: '42' });
    },
  },

  'egg-types': {
    after: `
import type { Application } from 'egg';
export const announce = (app: Application): Promise<unknown> => app.sse.publishAll(app.config.sse.path ?? 'none');`,
  },
};
