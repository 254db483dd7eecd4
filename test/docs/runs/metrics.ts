import { expect } from 'vitest';
import { openStream } from '../../helpers/client.js';
import { Exposition } from '../../helpers/exposition.js';
import { get, HUB, type Run, SERVE_RECENT } from './context.js';

/** Metrics and diagnostics channels. */
export const METRICS_RUNS: Readonly<Record<string, Run>> = {
  metrics: {
    async drive(program) {
      const url = await program.url();
      await openStream(`${url}/sse`);
      const { text } = await get(`${url}/metrics`);
      expect(new Exposition(text).value('ssekify_connections')).toBe(1);
    },
  },

  'metrics-hubs': {
    after: "console.log((await registry.metrics()).includes('prices') ? 'still there' : 'gone');",
    async drive(program) {
      expect(await program.exited()).toBe(0);
      expect(program.output).toContain('ssekify_replay_events{hub="notices"} 0\n');
      expect(program.output).toContain('ssekify_replay_events{hub="prices"} 1\n');
      expect(program.output).toMatch(/\ngone\n$/);
    },
  },

  diagnostics: {
    after: HUB + SERVE_RECENT,
    async drive(program) {
      const client = await openStream(await program.url());
      client.close();
      await program.printed('ms: client\n');
      expect(program.output).toMatch(/^ann left after \d+ ms: client\n$/);
    },
  },
};
