import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { METRICS } from '../../src/prometheus/metrics.js';
import { readOptions } from '../../src/prometheus/options.js';
import { codeIn, readDocument, Tables } from './markdown.js';

const page = readDocument('docs/metrics.md');
const tables = new Tables([page]);

it('lists every metric as it is', () => {
  const rows = tables.headed('Metric').map(([metric = '', kind, label, help]) => ({
    name: codeIn(metric)[0],
    aggregator: metric.endsWith('†') ? 'max' : 'sum',
    kind,
    label: codeIn(label)[0],
    help,
  }));
  expect(rows).toEqual(METRICS.map(({ read, ...definition }) => definition));
});

it('lists every option of collectMetrics with its default', () => {
  const rows = tables.headed('Metrics option').map(([name, value]) => [codeIn(name)[0], codeIn(value)[0]]);
  const { prefix, labels } = readOptions();
  // Its default is known only once prom-client is loaded.
  const registry = 'register';
  expect(Object.fromEntries(rows)).toEqual({ registry, prefix: `'${prefix}'`, labels: JSON.stringify(labels) });
  expect(rows.map(([name]) => name).sort()).toEqual(Object.keys(readOptions()).sort());
});

it('names every value that a label of the metrics has, of those that stats() does not have', async () => {
  const sse = new SSEKify();
  const stats = sse.stats();
  await sse.shutdown();
  for (const { label, read } of METRICS) {
    if (label === undefined || label === 'reason' || label === 'state') continue;
    const sentence = new RegExp(`\`${label}\` is ([^;.]+)[;.]`).exec(page.text.replaceAll('\n', ' '))?.[1];
    expect({ label, values: codeIn(sentence) }).toEqual({ label, values: Object.keys(read(stats)) });
  }
});

it('uses no metric in its alerts that there is not', () => {
  const names = METRICS.map(({ name }) => `ssekify_${name}`);
  const alerts = tables.headed('Expression').map(([cell]) => /\bssekify_\w+/.exec(cell ?? '')?.[0]);
  expect(alerts.length).toBeGreaterThan(3);
  expect(names).toEqual(expect.arrayContaining(alerts));
});
