import type { SSEKify, SSEKifyStats } from '../index.js';
import { METRICS, type MetricDefinition } from './metrics.js';
import { checkHub, type MetricsOptions, readOptions, refuse } from './options.js';
import { loadPromClient, type MetricsRegistry, type PromClient } from './prom-client.js';

type Labels = Readonly<Record<string, string>>;

/** The metrics of one prefix on one registry, and the hubs that they tell of. */
class Collection {
  readonly labelNames: readonly string[];
  readonly #registry: MetricsRegistry;
  /** By the full name, as the registry has them; `prom-client` may change the name in the metric. */
  readonly #metrics = new Map<string, unknown>();
  /** The hubs by their labels. */
  readonly #hubs = new Map<Labels, SSEKify>();
  readonly #read = new Map<SSEKify, SSEKifyStats>();

  constructor(promClient: PromClient, registry: MetricsRegistry, prefix: string, labelNames: readonly string[]) {
    this.#registry = registry;
    this.labelNames = labelNames;
    for (const definition of METRICS) {
      const name = prefix + definition.name;
      this.#metrics.set(name, this.#create(promClient, name, definition));
    }
  }

  /** Whether the registry still has it; `registry.clear()` takes all metrics out. */
  get registered(): boolean {
    return [...this.#metrics].some(([name, metric]) => this.#registry.getSingleMetric(name) === metric);
  }

  has(labels: Labels): boolean {
    return [...this.#hubs.keys()].some((other) => this.labelNames.every((name) => other[name] === labels[name]));
  }

  add(labels: Labels, sse: SSEKify): void {
    this.#hubs.set(labels, sse);
  }

  /** Takes a hub out, and with the last one the metrics. @returns whether there are others */
  remove(labels: Labels): boolean {
    this.#hubs.delete(labels);
    if (this.#hubs.size > 0) return true;
    for (const [name, metric] of this.#metrics) {
      if (this.#registry.getSingleMetric(name) === metric) this.#registry.removeSingleMetric(name);
    }
    return false;
  }

  #create({ Counter, Gauge }: PromClient, name: string, definition: MetricDefinition): unknown {
    const { kind, help, label, aggregator } = definition;
    const labelNames = label === undefined ? this.labelNames : [...this.labelNames, label];
    const Metric = kind === 'gauge' ? Gauge : Counter;
    const metric = new Metric({
      name,
      help,
      labelNames,
      aggregator,
      registers: [this.#registry],
      collect: () => {
        metric.reset();
        for (const { labels, value } of this.#series(definition)) metric.inc(labels, value);
      },
    });
    return metric;
  }

  *#series({ label, read }: MetricDefinition): Generator<{ labels: Labels; value: number }> {
    for (const [labels, sse] of this.#hubs) {
      const found = read(this.#statsOf(sse));
      if (typeof found === 'number') yield { labels, value: found };
      else
        for (const [each, value] of Object.entries(found)) yield { labels: { ...labels, [label ?? '']: each }, value };
    }
  }

  /** The stats, once for all metrics of a scrape: a registry asks them one after the other, without a break. */
  #statsOf(sse: SSEKify): SSEKifyStats {
    const known = this.#read.get(sse);
    if (known !== undefined) return known;
    const stats = sse.stats();
    this.#read.set(sse, stats);
    Promise.resolve().then(() => this.#read.clear());
    return stats;
  }
}

/** What is collected on each registry, by prefix. */
const collections = new WeakMap<MetricsRegistry, Map<string, Collection>>();

/**
 * Adds what `stats()` of a hub tells to a registry of `prom-client`. It is read when the registry is scraped, and at no
 * other time. Several hubs share the metrics of a registry when their `labels` differ.
 *
 * @returns a function that removes the hub's series, and with the last hub the metrics; calling it again does nothing
 * @throws {@link SSEKifyError} `INVALID_OPTION`, also when the registry has metrics of these names, or a hub with these
 * labels; `PEER_MISSING` when `prom-client` is not installed
 *
 * @example
 * ```ts
 * import { register } from 'prom-client';
 * import { collectMetrics } from 'ssekify/prometheus';
 *
 * collectMetrics(sse, { labels: { hub: 'notices' } });
 * app.get('/metrics', async (req, res) => {
 *   res.type(register.contentType).send(await register.metrics());
 * });
 * ```
 */
export function collectMetrics(sse: SSEKify, options?: MetricsOptions): () => void {
  checkHub(sse);
  const { prefix, labels, registry: given } = readOptions(options);
  const promClient = loadPromClient();
  const registry = given ?? promClient.register;
  const byPrefix = collections.get(registry) ?? new Map<string, Collection>();
  collections.set(registry, byPrefix);
  const collection = shared(byPrefix.get(prefix), labels) ?? create(promClient, registry, prefix, Object.keys(labels));
  byPrefix.set(prefix, collection);
  collection.add(labels, sse);
  return () => {
    if (!collection.remove(labels) && byPrefix.get(prefix) === collection) byPrefix.delete(prefix);
  };
}

/** The collection that hubs with these labels join. */
function shared(collection: Collection | undefined, labels: Labels): Collection | undefined {
  if (collection === undefined || !collection.registered) return undefined;
  const { labelNames } = collection;
  if (labelNames.join() !== Object.keys(labels).sort().join()) {
    refuse(
      'options.labels',
      labels,
      `the label names of the hubs on this registry: ${labelNames.join(', ') || 'none'}`,
    );
  }
  if (collection.has(labels)) refuse('options.labels', labels, 'values that tell this hub from those on this registry');
  return collection;
}

function create(
  promClient: PromClient,
  registry: MetricsRegistry,
  prefix: string,
  labelNames: readonly string[],
): Collection {
  const taken = METRICS.find(({ name }) => registry.getSingleMetric(prefix + name) !== undefined);
  if (taken !== undefined) {
    refuse('options.prefix', prefix, `one that makes new names: the registry has a metric ${prefix}${taken.name}`);
  }
  return new Collection(promClient, registry, prefix, [...labelNames].sort());
}
