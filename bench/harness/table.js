/** The table on stdout, and the same as Markdown. */

function number(value) {
  if (value === undefined) return '';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function barText({ against, atMost, atLeast, figure, ok }) {
  const limit = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
  return `${against === undefined ? '' : `/ ${against} `}${limit}: ${figure.toFixed(2)} ${ok ? 'ok' : 'over'}`;
}

function cells({ subject, median, least, most, ratios, bars }, baselines) {
  return [
    subject,
    number(median),
    `${number(least)} – ${number(most)}`,
    ...baselines.map((name) => ratios[name]?.toFixed(2) ?? ''),
    bars.map(barText).join(', '),
  ];
}

/** @returns the lines of a Markdown table, padded so that it can be read as it is */
function tableOf(rows) {
  const baselines = [...new Set(rows.flatMap(({ ratios }) => Object.keys(ratios)))];
  const unit = rows[0]?.unit === '' ? '' : ` (${rows[0]?.unit})`;
  const head = ['', `median${unit}`, 'spread', ...baselines.map((name) => `/ ${name}`), 'bar'];
  if (!rows.some(({ bars }) => bars.length > 0)) head.pop();
  const lines = [head, ...rows.map((row) => cells(row, baselines).slice(0, head.length))];
  const widths = head.map((_, column) => Math.max(3, ...lines.map((line) => line[column].length)));
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  const format = (line) =>
    `| ${line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join(' | ')} |`;
  return [format(lines[0]), format(rule), ...lines.slice(1).map(format)];
}

/** @returns one titled table per metric */
function report(scenario, rows) {
  const lines = [`### ${scenario.title}`, ''];
  for (const metric of scenario.metrics) {
    const own = rows.filter(({ metric: key }) => key === metric.key);
    if (own.length === 0) continue;
    lines.push(`${metric.title}:`, '', ...tableOf(own), '');
  }
  return lines.join('\n');
}

module.exports = { report };
