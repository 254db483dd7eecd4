/** From samples to medians, spreads, ratios and bars. */
const { median } = require('./statistics.js');

const BASELINES = ['socket', 'res.write'];
const HOME = 'ssekify';

/** @returns one row per metric and subject */
function summarize(scenario, samples) {
  const rows = [];
  for (const metric of scenario.metrics) {
    for (const subject of Object.keys(samples)) {
      const values = valuesOf(samples, subject, metric);
      if (values.length === 0) continue;
      const ratios = {};
      for (const baseline of scenario.baselines ?? BASELINES) {
        const ratio = ratioTo(samples, subject, baseline, metric);
        if (ratio !== undefined) ratios[baseline] = ratio;
      }
      rows.push({
        scenario: scenario.name,
        metric: metric.key,
        title: metric.title,
        unit: metric.unit,
        subject,
        median: median(values),
        least: Math.min(...values),
        most: Math.max(...values),
        rounds: values.length,
        ratios,
        bars: subject === (metric.on ?? HOME) ? barsOf(metric, ratios, median(values)) : [],
      });
    }
  }
  return rows;
}

function valuesOf(samples, subject, { key }) {
  return (samples[subject] ?? []).map((figures) => figures?.[key]).filter((value) => value !== undefined);
}

/** The median of the ratios within each round: what disturbs the machine disturbs neighbours alike. */
function ratioTo(samples, subject, baseline, { key }) {
  const ratios = [];
  for (const [round, figures] of (samples[subject] ?? []).entries()) {
    const base = samples[baseline]?.[round]?.[key];
    if (figures?.[key] !== undefined && base !== undefined) ratios.push(figures[key] / base);
  }
  return ratios.length === 0 ? undefined : median(ratios);
}

function barsOf({ bars = [] }, ratios, absolute) {
  return bars.flatMap((bar) => {
    const figure = bar.against === undefined ? absolute : ratios[bar.against];
    if (figure === undefined) return [];
    const ok = bar.atMost !== undefined ? figure <= bar.atMost : figure >= bar.atLeast;
    return [{ ...bar, figure, ok }];
  });
}

module.exports = { summarize };
