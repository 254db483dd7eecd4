import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { beforeAll, expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { collectMetrics } from '../../src/prometheus/index.js';
import { Exposition, type Family } from '../helpers/exposition.js';

interface Place {
  h: number;
  w: number;
  x: number;
  y: number;
}

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: Place;
  targets?: { expr: string; legendFormat: string }[];
}

interface Dashboard {
  title: string;
  panels: Panel[];
  templating: { list: { name: string; type: string; query: string | { query: string } }[] };
}

const dashboard: Dashboard = JSON.parse(readFileSync('examples/prometheus/dashboard.json', 'utf8'));
const variables = dashboard.templating.list;
const graphs = dashboard.panels.filter(({ type }) => type !== 'row');
const targets = graphs.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

/** What a hub really shows. */
let families: Map<string, Family>;
beforeAll(async () => {
  const registry = new Registry();
  const sse = new SSEKify();
  collectMetrics(sse, { registry });
  families = new Exposition(await registry.metrics()).families;
  await sse.shutdown();
});

const metricsIn = (query: string): string[] => query.match(/\bssekify_\w+/g) ?? [];

/** The labels that Prometheus adds, and those of the metric. */
function labelsOf(metric: string): string[] {
  const samples = families.get(metric)?.samples ?? [];
  return ['job', 'instance', ...samples.flatMap(({ labels }) => Object.keys(labels))];
}

it('queries only metrics that a hub has, and leaves none out', () => {
  const queries = variables.flatMap(({ type, query }) => (type === 'query' ? [query] : []));
  const asked = [...queries.map((query) => (typeof query === 'string' ? query : query.query))];
  const used = [...asked, ...targets.map(({ expr }) => expr)].map((query) => ({ query, metrics: metricsIn(query) }));
  expect(used.filter(({ metrics }) => metrics.length === 0)).toEqual([]);
  const names = new Set(used.flatMap(({ metrics }) => metrics));
  expect([...names].sort()).toEqual([...families.keys()].sort());
});

it('groups and names series by labels that they have', () => {
  for (const { expr, legendFormat } of targets) {
    const [metric = ''] = metricsIn(expr);
    const by = (/ by \(([^)]*)\)/.exec(expr)?.[1] ?? '').split(/, */).filter((label) => label !== '');
    expect(labelsOf(metric), expr).toEqual(expect.arrayContaining(by));
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    expect({ expr, shown: shown.sort() }).toEqual({ expr, shown: by.sort() });
  }
});

it('looks at counters by how fast they grow, and at nothing else so', () => {
  for (const { expr } of targets) {
    const [metric = ''] = metricsIn(expr);
    const grows = /\b(?:rate|increase)\(ssekify_\w+\{[^}]*\}\[\$__rate_interval\]\)/.test(expr);
    expect({ expr, grows }).toEqual({ expr, grows: families.get(metric)?.type === 'counter' });
  }
});

it('lets its variables choose what each query is of', () => {
  expect(variables.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance']);
  for (const { expr } of targets) expect(expr).toContain('{job=~"$job",instance=~"$instance"}');
});

it('has panels that say what they show, side by side', () => {
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  for (const { title, description, targets } of graphs) {
    expect({ title, description }).toEqual({
      title: expect.stringMatching(/./),
      description: expect.stringMatching(/\.$/),
    });
    expect(targets?.length).toBeGreaterThan(0);
  }
  const overlaps = (one: Place, other: Place) =>
    one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h;
  for (const [index, { gridPos, title }] of dashboard.panels.entries()) {
    expect({ title, right: gridPos.x + gridPos.w <= 24 }).toEqual({ title, right: true });
    const over = dashboard.panels.slice(index + 1).filter((other) => overlaps(gridPos, other.gridPos));
    expect({ title, over: over.map((each) => each.title) }).toEqual({ title, over: [] });
  }
});
