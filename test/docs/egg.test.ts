import { expect, it } from 'vitest';
import { EggSSE, type EggSSEOptions } from '../../src/egg/index.js';
import { readEggOptions } from '../../src/egg/options.js';
import { codeIn, readDocument, Tables } from './markdown.js';

const tables = new Tables([readDocument('docs/egg.md')]);

/** Values that differ from the defaults; the compiler sees to it that none is missing. */
const OTHERS: Required<Omit<EggSSEOptions, keyof import('../../src/index.js').SSEKifyOptions>> = {
  path: '/other',
  headers: { 'X-Other': '1' },
  maxClients: 7,
  pingInterval: 7,
  connectKey: 'other',
  cacheKey: 'other',
};

it('lists the options of the plugin, with their defaults', () => {
  const rows = tables.headed('Option of the plugin');
  const byDefault = new Map(
    rows.map(([name, value]) => [codeIn(name)[0] ?? '', codeIn(value)[0]?.replaceAll("'", '"')]),
  );
  expect([...byDefault.keys()].sort()).toEqual(Object.keys(OTHERS).sort());
  for (const [name, other] of Object.entries(OTHERS)) {
    const shown = byDefault.get(name);
    const value: unknown = shown === undefined ? undefined : JSON.parse(shown);
    expect({ name, settings: readEggOptions({ [name]: value }) }).toEqual({ name, settings: readEggOptions() });
    expect({ name, settings: readEggOptions({ [name]: other }) }).not.toEqual({ name, settings: readEggOptions() });
  }
});

it('lists the members of app.sse', () => {
  const shown = tables.headed('Member of `app.sse`').map(([member]) => /^\w+/.exec(codeIn(member)[0] ?? '')?.[0]);
  const methods = Object.getOwnPropertyNames(EggSSE.prototype).filter((name) => name !== 'constructor');
  expect(shown.sort()).toEqual([...methods, 'hub', 'settings'].sort());
});
