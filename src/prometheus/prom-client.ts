import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SSEKifyError } from '../index.js';

/** A registry of `prom-client`, as far as it is used; its classes need not be of the copy that ssekify finds. */
export interface MetricsRegistry {
  registerMetric(metric: never): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
}

/** What a metric of `prom-client` is made of. */
export interface MetricConfig {
  name: string;
  help: string;
  labelNames: readonly string[];
  registers: readonly MetricsRegistry[];
  /** How the workers of a cluster become one. */
  aggregator: 'sum' | 'max';
  collect(): void;
}

type Metric = new (
  config: MetricConfig,
) => { reset(): void; inc(labels: Readonly<Record<string, string>>, value: number): void };

export interface PromClient {
  readonly Counter: Metric;
  readonly Gauge: Metric;
  readonly register: MetricsRegistry;
}

function isPromClient(value: unknown): value is PromClient {
  const { Counter, Gauge, register } = Object(value);
  return typeof Counter === 'function' && typeof Gauge === 'function' && isRegistry(register);
}

export function isRegistry(value: unknown): value is MetricsRegistry {
  const registry = Object(value);
  return ['registerMetric', 'getSingleMetric', 'removeSingleMetric'].every(
    (name) => typeof registry[name] === 'function',
  );
}

/** Loads `prom-client`: as ssekify itself would find it, or else as the application would, also where a bundle has no `__filename`. */
export function loadPromClient(): PromClient {
  let cause: unknown;
  for (const from of [() => import.meta.url, () => join(process.cwd(), 'index.js')]) {
    try {
      const found: unknown = createRequire(from())('prom-client');
      if (isPromClient(found)) return found;
    } catch (error) {
      cause ??= error;
    }
  }
  throw new SSEKifyError(
    'PEER_MISSING',
    'collectMetrics needs the package prom-client, which could not be loaded. Install it: npm install prom-client',
    { cause },
  );
}
