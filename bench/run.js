#!/usr/bin/env node
/** Measures ssekify beside its peers and the bare loops; see README.md. */
const os = require('node:os');
const path = require('node:path');
const { scenarioNamed } = require('./harness/catalogue.js');
const { readOptions } = require('./harness/options.js');
const { prepare } = require('./harness/prepare.js');
const { hasRedis } = require('./harness/redis.js');
const { saveInReadme, saveResults } = require('./harness/results.js');
const { runRounds } = require('./harness/rounds.js');
const { summarize } = require('./harness/summary.js');
const { report } = require('./harness/table.js');

/** What the smoke run does without a network and without the peers. */
const SMOKE_SUBJECTS = ['socket', 'res.write', 'ssekify'];

function machine() {
  const [cpu] = os.cpus();
  return {
    date: new Date().toISOString(),
    cpu: `${cpu?.model ?? 'unknown'}, ${os.cpus().length} cores`,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    loadBefore: os.loadavg()[0],
  };
}

function head({ date, cpu, system, node, loadBefore, versions, size }) {
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${date.slice(0, 16).replace('T', ' ')} UTC, ${size} run: ${cpu}, ${system}, Node ${node}.`,
    `${peers.join(', ')}. Load ${loadBefore.toFixed(1)} at the start.`,
    '',
  ];
}

function progress(size, scenario) {
  return (round, bySubject) => {
    if (size === 'smoke') return;
    for (const [subject, figures] of Object.entries(bySubject)) {
      const shown = scenario.metrics.map(({ key, unit }) => `${key} ${figures[key]?.toFixed(2) ?? '-'} ${unit}`);
      process.stderr.write(`${scenario.name} #${round + 1} ${subject}: ${shown.join(', ')}\n`);
    }
  };
}

/** Which way of writing served, where ssekify tells. */
function sinksOf(samples) {
  return samples.ssekify?.find((figures) => figures?.details?.stats?.sinks !== undefined)?.details.stats.sinks;
}

/** Runs one scenario. @returns what there is to say of it */
async function run(name, options, all) {
  const scenario = scenarioNamed(name);
  if (scenario.needsRedis === true && !hasRedis()) return [`${name}: left out, redis-server is not installed.`];
  const { samples, problems } = await runRounds(scenario, options, progress(options.size, scenario));
  const rows = summarize(scenario, samples);
  all.rows.push(...rows);
  all.samples[name] = samples;
  all.problems.push(...problems);
  if (options.size === 'smoke') return [`${name}: ${problems.length === 0 ? 'ok' : 'failed'}`];
  const sinks = sinksOf(samples);
  return [
    report(scenario, rows),
    ...(sinks === undefined ? [] : [`ssekify wrote through: \`${JSON.stringify(sinks)}\`.`, '']),
    ...problems.map(({ subject, round, message }) => `${subject}, round ${round + 1}, failed: ${message}`),
  ];
}

function tell(lines) {
  console.log(lines.join('\n'));
  return lines;
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help !== undefined) {
    console.log(options.help);
    return;
  }
  const smoke = options.size === 'smoke';
  if (smoke) {
    process.env.SSEKIFY_BENCH_ENTRY = path.join(__dirname, '..');
    options.subjects = SMOKE_SUBJECTS;
  }
  if (options.profiles !== undefined) process.env.SSEKIFY_BENCH_PROFILES = path.resolve(options.profiles);
  const versions = smoke ? {} : prepare(options.installed);
  const about = { ...machine(), versions, size: options.size };
  const all = { about, rows: [], samples: {}, problems: [] };
  const lines = tell(head(about));
  for (const name of options.scenarios) lines.push(...tell(await run(name, options, all)));
  about.loadAfter = os.loadavg()[0];
  lines.push(...tell([`Load ${about.loadAfter.toFixed(1)} at the end.`]));

  if (!smoke) saveResults(all);
  if (options.readme) saveInReadme(lines.join('\n').trim());
  const lost = all.problems.filter((problem) => problem.lost);
  tell(lost.length === 0 ? ['No frame was lost.'] : ['Frames were lost:', JSON.stringify(lost, undefined, 2)]);
  // Figures over their bar tell something; only lost frames, and what did not run at all, are errors.
  if (all.problems.length > 0) process.exitCode = 1;
}

main();
