export { collectMetrics } from './collect-metrics.js';
export type { MetricsOptions } from './options.js';
export type { MetricsRegistry } from './prom-client.js';
