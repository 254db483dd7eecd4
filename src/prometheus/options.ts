import { inspect } from 'node:util';
import { SSEKify, SSEKifyError } from '../index.js';
import { OWN_LABELS } from './metrics.js';
import { isRegistry, type MetricsRegistry } from './prom-client.js';

/** Options of {@link collectMetrics}. */
export interface MetricsOptions {
  /**
   * The registry that the metrics are added to, and whose `metrics()` is scraped.
   * @defaultValue the `register` of `prom-client`
   */
  registry?: MetricsRegistry | undefined;
  /**
   * What the name of every metric begins with; `''` is allowed.
   * @defaultValue 'ssekify_'
   */
  prefix?: string | undefined;
  /**
   * Labels of every series of this hub, by which several hubs on one registry are told apart: they have the same label
   * names, and differ in a value. Names are those of Prometheus, and not `reason`, `state` or another one that the metrics have
   * themselves. Do not put a user or a room in a value: every value is a series that Prometheus keeps.
   * @defaultValue {}
   */
  labels?: Readonly<Record<string, string | number>> | undefined;
}

export interface MetricsSettings {
  registry: MetricsRegistry | undefined;
  prefix: string;
  labels: Readonly<Record<string, string>>;
}

export function refuse(name: string, value: unknown, allowed: string): never {
  const shown = inspect(value, { depth: -1, maxStringLength: 80, breakLength: Number.POSITIVE_INFINITY });
  throw new SSEKifyError('INVALID_OPTION', `${name} is ${shown}: expected ${allowed}.`);
}

export function checkHub(sse: unknown): void {
  if (!(sse instanceof SSEKify)) refuse('sse', sse, 'a hub made by new SSEKify()');
}

export function readOptions(options: unknown = {}): MetricsSettings {
  if (!isRecord(options)) refuse('options', options, 'an object');
  const { registry, prefix = 'ssekify_', labels = {}, ...others } = options;
  for (const name of Object.keys(others)) {
    refuse(`options[${inspect(name)}]`, others[name], 'one of the options registry, prefix, labels');
  }
  if (registry !== undefined && !isRegistry(registry))
    refuse('options.registry', registry, 'a Registry of prom-client');
  if (typeof prefix !== 'string' || !/^(?:[a-z_:][\w:]*)?$/i.test(prefix)) {
    refuse('options.prefix', prefix, 'letters, digits, _ and :, with no digit first');
  }
  if (!isRecord(labels)) refuse('options.labels', labels, 'an object of label names and values');
  const texts = Object.entries(labels).map(([name, value]) => [checkedName(name, value), checkedValue(name, value)]);
  return { registry, prefix, labels: Object.fromEntries(texts) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !(Symbol.iterator in value);

const TAKEN = ['le', 'quantile', ...OWN_LABELS];

function checkedName(name: string, value: unknown): string {
  if (/^(?!__)[a-z_]\w*$/i.test(name) && !TAKEN.includes(name)) return name;
  return refuse(
    `options.labels[${inspect(name)}]`,
    value,
    `a label name of letters, digits and _, with no digit or __ first, and none of ${TAKEN.join(', ')}`,
  );
}

function checkedValue(name: string, value: unknown): string {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return String(value);
  return refuse(`options.labels.${name}`, value, 'a string or a finite number');
}
