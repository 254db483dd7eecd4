import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { logSourceOf } from '../../src/cluster/log/redis-stream.js';
import { EggSSE } from '../../src/egg/index.js';
import * as main from '../../src/index.js';
import { createRedisStreamAdapter, SSEKify, type SSEKifyError } from '../../src/index.js';
import { readHubOptions, registrationReader } from '../../src/options.js';
import { readSendOptions } from '../../src/stamp/stamper.js';
import { atEnd } from '../helpers/cleanup.js';
import { anchorOf, codeIn, type Document, PAGES, ROOT, readDocument, Tables } from './markdown.js';

const readme = readDocument('README.md');
const pages = PAGES.map(readDocument);
const tables = new Tables(pages);
const text = pages.map((page) => page.text).join('\n');

/** The types as the compiler sees them. */
let checker: ts.TypeChecker;
let exported: Map<string, ts.Symbol>;

beforeAll(() => {
  const index = path.join(ROOT, 'src/index.ts');
  const { config } = ts.readConfigFile(path.join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const program = ts.createProgram([index], options);
  checker = program.getTypeChecker();
  const source = program.getSourceFile(index);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error('src/index.ts is no module');
  exported = new Map(checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]));
}, 60_000);

function typeNamed(name: string): ts.Type {
  const symbol = exported.get(name);
  if (symbol === undefined) throw new Error(`${name} is not exported`);
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return checker.getDeclaredTypeOfSymbol(target);
}

const propertiesOf = (type: ts.Type) => checker.getNonNullableType(type).getProperties();
/** A member that a symbol names is for the compiler, and has no name to document. */
const namesIn = (type: string) =>
  propertiesOf(typeNamed(type))
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('__@'));

/** The strings of a union of strings. */
function wordsOf(type: string): string[] {
  const union = typeNamed(type);
  return union.isUnion() ? union.types.map((each) => (each.isStringLiteral() ? each.value : '?')) : [];
}

function nestedNamesIn(type: string, names: readonly string[]): string[] {
  return propertiesOf(typeNamed(type)).flatMap((property) => {
    if (!names.includes(property.name)) return [property.name];
    return propertiesOf(checker.getTypeOfSymbol(property)).map(({ name }) => `${property.name}.${name}`);
  });
}

/** What a call says about an option that does not exist. */
function known(call: () => unknown): string[] {
  try {
    call();
  } catch (error) {
    const list = /(?:one of the options|only) (.+)\.$/.exec((error as SSEKifyError).message)?.[1] ?? '';
    return list.split(/, | and /);
  }
  return [];
}

function newHub(): SSEKify {
  const sse = new SSEKify();
  atEnd(() => sse.shutdown({ graceMs: 0 }));
  return sse;
}

type Values = Record<string, unknown>;
const read = (options: Values) => readHubOptions(options) as unknown as Values;
const response = { write: () => true, end: () => undefined } as never;
/** Nobody listens there. */
const NOWHERE = 'redis://127.0.0.1:1';
const bad = { noSuchOption: 1 } as never;

/** Each table of options: its type, the names that the library itself lists, and how it takes an option. */
const TABLES: Readonly<
  Record<string, { type: string; nested?: string[]; known(): string[]; take?(name: string, value: unknown): unknown }>
> = {
  Options: {
    type: 'SSEKifyOptions',
    known: () => known(() => new SSEKify(bad)),
    take: (name, value) => {
      const settings = read({ [name]: value });
      if (name === 'connection') return registrationReader(settings as never)(undefined);
      return name === 'roomOptions' ? readHubOptions(settings).roomOptions('any') : settings[name];
    },
  },
  'Connection options': {
    type: 'RegisterOptions',
    known: () => known(() => newHub().registerConnection('ann', response, bad)),
    take: (name, value) => {
      const { settings, ...others } = registrationReader(readHubOptions({}))({ [name]: value });
      return { ...others, ...settings }[name as 'rooms'];
    },
  },
  'Room options': {
    type: 'RoomOptions',
    known: () => known(() => new SSEKify({ roomOptions: bad })),
    take: (name, value) => (readHubOptions({ roomOptions: { [name]: value } }).roomOptions('any') as Values)[name],
  },
  'Send options': {
    type: 'SendOptions',
    known: () => known(() => newHub().sendToAll('x', bad)),
    take: (name, value) => (readSendOptions({ [name]: value }, 'x') as unknown as Values)[name],
  },
  'autoFields options': {
    type: 'AutoFieldsOptions',
    nested: ['traceId', 'requestId'],
    known: () =>
      known(() => new SSEKify({ autoFields: bad })).flatMap((name) => {
        const inner = name === 'timestamp' ? [] : known(() => new SSEKify({ autoFields: { [name]: bad } }));
        return inner.length === 0 ? name : inner.map((each) => `${name}.${each}`);
      }),
    take: (name, value) => {
      const [outer = '', inner] = name.split('.');
      const fields = read({ autoFields: { [outer]: inner === undefined ? value : { [inner]: value } } }).autoFields;
      const taken = (fields as Values)[outer];
      return inner === undefined ? taken : (taken as Values)[inner];
    },
  },
  'seq options': {
    type: 'SeqOptions',
    known: () => known(() => new SSEKify({ seq: bad })),
    take: (name, value) => (read({ seq: { [name]: value } }).seq as Values)[name],
  },
  'shutdown options': {
    type: 'ShutdownOptions',
    known: () => known(() => newHub().shutdown(bad)),
  },
  'Lossless options': {
    type: 'RedisStreamOptions',
    known: () => known(() => createRedisStreamAdapter(NOWHERE, bad)),
    take: (name, value) => {
      const adapter = createRedisStreamAdapter(NOWHERE, { [name]: value });
      const settings: Values = logSourceOf(adapter).settings;
      void adapter.close();
      return settings[name];
    },
  },
};

describe.each(Object.entries(TABLES))('%s', (heading, { type, nested = [], known: names, take }) => {
  const rows = tables.under(heading).map(([name, byDefault, meaning]) => ({
    name: codeIn(name)[0] ?? '',
    byDefault: byDefault ?? '',
    meaning: meaning ?? '',
  }));
  const documented = rows.map(({ name }) => name).sort();

  it('are those of the type, and those that the library takes', () => {
    expect(documented.length).toBeGreaterThan(1);
    expect(documented).toEqual(nestedNamesIn(type, nested).sort());
    expect(documented).toEqual(names().sort());
  });

  it('have the defaults that the table shows', () => {
    for (const { name, byDefault } of rows) {
      const shown = codeIn(byDefault)[0];
      if (take === undefined) continue;
      const actual = take(name, undefined);
      if (byDefault === "the hub's") {
        const own = name === 'keepAliveEvent' ? { event: 'beat', data: 1 } : 1234;
        const registration = registrationReader(readHubOptions({ [name]: own }))(undefined);
        expect({ name, value: (registration.settings as unknown as Values)[name] }).toEqual({ name, value: own });
      } else if (shown === 'JSON.stringify') {
        expect(actual).toBe(JSON.stringify);
      } else if (shown === undefined) {
        // An empty list is what none comes to.
        expect({ name, byDefault }).toEqual({ name, byDefault: expect.stringMatching(/^(none|built-in|automatic)$/) });
        expect({ name, actual: Array.isArray(actual) && actual.length === 0 ? undefined : actual }).toEqual({
          name,
          actual: undefined,
        });
      } else {
        const value: unknown = JSON.parse(shown.replaceAll("'", '"'));
        expect({ name, value: take(name, value) }).toEqual({ name, value: actual });
        if (typeof value !== 'object') expect({ name, value: actual }).toEqual({ name, value });
      }
    }
  });
});

it('shows the defaults of shutdown', async () => {
  const rows = tables.under('shutdown options').map(([name, byDefault]) => [codeIn(name)[0], codeIn(byDefault)[0]]);
  const documented = new Map(
    propertiesOf(typeNamed('ShutdownOptions')).map((property) => {
      const tag = property.getJsDocTags(checker).find(({ name }) => name === 'defaultValue');
      return [property.name, ts.displayPartsToString(tag?.text)];
    }),
  );
  expect(rows).toEqual([...documented]);
});

describe('the API', () => {
  it('tells of every method, and of none that is not there', () => {
    const methods = Object.getOwnPropertyNames(SSEKify.prototype).filter((name) => name !== 'constructor');
    const missing = methods.filter((name) => !new RegExp(`\`(sse\\.)?${name}\\(`).test(text));
    expect(missing).toEqual([]);
    const named = [...text.matchAll(/(\bapp\.)?\bsse\.(\w+)\(/g)];
    expect(named.length).toBeGreaterThan(50);
    // `app.sse` is a hub, or Egg's.
    const isThere = (name: string, app?: string) =>
      name in SSEKify.prototype || (app !== undefined && name in EggSSE.prototype);
    expect(named.filter(([, app, name = '']) => !isThere(name, app)).map(([call]) => call)).toEqual([]);
  });

  it('tells of every member of a handle', () => {
    const members = tables.under('The connection handle').map(([member]) => /\w+/.exec(codeIn(member)[0] ?? '')?.[0]);
    expect(members.sort()).toEqual(namesIn('RegisteredConnectionHandle').sort());
  });

  it('tells of every member of a task, and of every option', () => {
    const members = tables.under('The task').flatMap(([member]) => codeIn(member).map((each) => /\w+/.exec(each)?.[0]));
    expect(members.sort()).toEqual(namesIn('Task').sort());
    expect(
      tables
        .under('Task options')
        .map(([option]) => codeIn(option)[0])
        .sort(),
    ).toEqual(namesIn('TaskOptions').sort());
  });

  it('lists every exported value and type', () => {
    const list = (name: string) => codeIn(new RegExp(`Exported ${name}: ([\\s\\S]+?)\\.(?: |\\n)`).exec(text)?.[1]);
    const values = Object.keys(main).filter((name) => name !== 'default');
    expect(list('values').sort()).toEqual(values.sort());
    const types = [...exported.keys()].filter((name) => !(name in main));
    expect(types.length).toBeGreaterThan(30);
    expect(list('types').sort()).toEqual(types.sort());
  });

  it('lists every reason, event and statistic', () => {
    const first = (rows: string[][]) => rows.flatMap(([cell]) => codeIn(cell)).map((text) => text.replaceAll("'", ''));
    expect(first(tables.headed('`refused`')).sort()).toEqual(wordsOf('RefusalReason').sort());
    expect(first(tables.under('Gaps')).sort()).toEqual(wordsOf('GapReason').sort());
    expect(first(tables.headed('`dropPolicy`')).sort()).toEqual(wordsOf('DropPolicy').sort());
    expect(first(tables.headed('Event')).sort()).toEqual(namesIn('SSEKifyEventMap').sort());
    expect(first(tables.under('Stats')).sort()).toEqual(namesIn('SSEKifyStats').sort());
    expect(first(tables.under('Stats')).sort()).toEqual(Object.keys(newHub().stats()).sort());
    const shown = first(tables.under('Reasons of a disconnect'));
    expect(shown.sort()).toEqual(wordsOf('DisconnectReason').sort());
  });
});

it('lists every diagnostics channel, with what its messages hold', () => {
  const rows = tables.headed('Channel').map(([name, message]) => ({
    name: codeIn(name)[0],
    fields: (codeIn(message)[0]?.match(/\w+/g) ?? []).flatMap((word) =>
      word === 'envelope' ? namesIn('Envelope') : [word],
    ),
  }));
  const channels = propertiesOf(typeNamed('SSEKifyDiagnostics')).map((channel) => ({
    name: channel.name,
    fields: propertiesOf(checker.getTypeOfSymbol(channel)).map(({ name }) => name),
  }));
  const sorted = (all: typeof rows) => all.map(({ name, fields }) => ({ name, fields: [...fields].sort() }));
  expect(sorted(rows)).toEqual(sorted(channels));
});

describe('what instances agree on', () => {
  it('lists the state and counters of the bus', () => {
    const shown = tables.headed('In `bus`').flatMap(([cell]) => codeIn(cell));
    expect(shown.sort()).toEqual(namesIn('BusStats').sort());
    expect(shown.sort()).toEqual(Object.keys(newHub().stats().bus).sort());
    const states = codeIn(tables.headed('In `bus`')[0]?.[1]).filter((word) => /^'\w+'$/.test(word));
    expect(states).toEqual(["'none'", "'connecting'", "'up'", "'down'"]);
  });

  it('lists the counters of the log', () => {
    const shown = tables.headed('In `log`').flatMap(([cell]) => codeIn(cell));
    expect(shown.sort()).toEqual(namesIn('LogStats').sort());
    expect(shown.sort()).toEqual(Object.keys(newHub().stats().log).sort());
  });

  it('lists every field and type of an envelope', () => {
    const rows = tables.under('Publishing from another language');
    const shown = rows.flatMap(([cell]) => codeIn(cell));
    // Text stands in place of data on the wire only.
    expect(shown.sort()).toEqual([...namesIn('Envelope'), 'text'].sort());
    const types = codeIn(rows[0]?.[1]).map((word) => word.replaceAll("'", ''));
    expect(types.sort()).toEqual(wordsOf('EnvelopeType').sort());
  });

  it('lists every member of an adapter', () => {
    const shown = tables.under('An adapter of your own').flatMap(([cell]) => codeIn(cell));
    const members = new Set(shown.map((each) => /^\w+/.exec(each)?.[0]));
    expect([...members].sort()).toEqual(
      namesIn('RedisLike')
        .filter((name) => name !== 'kv')
        .sort(),
    );
    expect(tables.under('An adapter of your own').flatMap((cells) => codeIn(cells[1]))).toContain('kv');
  });

  it('lists every variable that all examples read, and none that no example reads', () => {
    const shown = tables.headed('Variable').flatMap(([cell]) => codeIn(cell));
    const folder = `${ROOT}examples/express/`;
    const readIn = (name: string) =>
      [...readFileSync(folder + name, 'utf8').matchAll(/\b(?:text|number|addresses)\('(\w+)'/g)].map(([, it]) => it);
    const sources = readdirSync(folder).filter((name) => name.endsWith('.js'));
    expect(readIn('config.js')).toContain('REDIS_URL');
    expect(shown).toEqual(expect.arrayContaining(readIn('config.js')));
    expect(sources.flatMap(readIn)).toEqual(expect.arrayContaining(shown));
  });
});

describe('links and paths', () => {
  const status = readDocument('STATUS.md');
  const documents = new Map([...pages, status].map((page) => [page.file, page]));
  const anchorsOf = ({ headings }: Document) => new Set(headings.map(anchorOf));

  it.each([...documents.keys()])('%s links to what is there', (file) => {
    const page = documents.get(file) as Document;
    expect(anchorsOf(page).size).toBe(page.headings.length);
    for (const link of page.links.filter((each) => !/^https?:/.test(each))) {
      const [target = '', anchor] = link.split('#');
      const to = target === '' ? file : path.posix.join(path.posix.dirname(file), target);
      expect({ link, exists: existsSync(ROOT + to) }).toEqual({ link, exists: true });
      if (anchor === undefined) continue;
      const there = documents.get(to);
      expect({ link, anchor: there !== undefined && anchorsOf(there).has(anchor) }).toEqual({ link, anchor: true });
    }
  });

  it('leads from the README to each page, and back', () => {
    const targets = new Set(readme.links.map((link) => link.split('#')[0]));
    for (const page of pages.filter(({ file }) => file !== 'README.md')) {
      expect(targets).toContain(page.file);
      expect(page.links.some((link) => link.startsWith('../README.md'))).toBe(true);
    }
  });

  it('has every section of the README in its contents, in order', () => {
    const contents = readme.text.slice(readme.text.indexOf('## Contents'), readme.text.indexOf('## Install'));
    const listed = [...contents.matchAll(/^( *)- \[(.+)\]\(#(.+)\)$/gm)].map(([, , text, anchor]) => ({
      text,
      anchor,
    }));
    const sections = readme.headings.slice(readme.headings.indexOf('Contents') + 1);
    expect(listed).toEqual(sections.map((text) => ({ text, anchor: anchorOf(text) })));
  });

  it('claims nothing in STATUS.md without a test that is there', () => {
    const rows = new Tables([status]).under('What works');
    expect(rows.length).toBeGreaterThan(10);
    for (const [claim, tests] of rows) {
      const files = codeIn(tests);
      expect({ claim, named: files.length > 0 }).toEqual({ claim, named: true });
      for (const file of files) {
        expect({ claim, file, exists: existsSync(`${ROOT}${file}`) }).toEqual({ claim, file, exists: true });
        expect(readFileSync(`${ROOT}${file}`, 'utf8')).toMatch(/\b(?:it|contract)(?:\.\w+)*[(<]/);
      }
    }
  });
});
