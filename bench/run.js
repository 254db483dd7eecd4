#!/usr/bin/env node
/** Measures ssekify beside its peers and the bare loops; see README.md. */
const { mkdirSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { scenarioNamed } = require('./harness/catalogue.js');
const { readOptions } = require('./harness/options.js');
const { prepare } = require('./harness/prepare.js');
const { hasRedis } = require('./harness/redis.js');
const { runRounds } = require('./harness/rounds.js');
const { summarize } = require('./harness/summary.js');
const { report } = require('./harness/table.js');

const RESULTS = path.join(__dirname, 'results');
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

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help !== undefined) {
    console.log(options.help);
    return;
  }
  const smoke = options.size === 'smoke';
  if (smoke) process.env.SSEKIFY_BENCH_ENTRY = path.join(__dirname, '..');
  if (options.profiles !== undefined) process.env.SSEKIFY_BENCH_PROFILES = path.resolve(options.profiles);
  const versions = smoke ? {} : prepare(options.installed);
  const about = { ...machine(), versions, size: options.size };
  console.log(`${about.cpu}, ${about.system}, Node ${about.node}, load ${about.loadBefore.toFixed(1)} at the start\n`);

  const all = { about, rows: [], samples: {}, problems: [] };
  for (const name of options.scenarios) {
    const scenario = scenarioNamed(name);
    if (scenario.needsRedis === true && !hasRedis()) {
      console.log(`${name}: left out, redis-server is not installed\n`);
      continue;
    }
    const subjects = smoke ? SMOKE_SUBJECTS : options.subjects;
    const { samples, problems } = await runRounds(scenario, { ...options, subjects }, progress(options.size, scenario));
    const rows = summarize(scenario, samples);
    if (smoke) console.log(`${name}: ${problems.length === 0 ? 'ok' : 'failed'}`);
    else console.log(report(scenario, rows));
    const sinks = sinksOf(samples);
    if (sinks !== undefined && !smoke) console.log(`ssekify wrote through: ${JSON.stringify(sinks)}\n`);
    for (const { subject, round, message } of problems) {
      console.log(`${subject}, round ${round + 1}, failed: ${message}\n`);
    }
    all.rows.push(...rows);
    all.samples[name] = samples;
    all.problems.push(...problems);
  }
  about.loadAfter = os.loadavg()[0];
  if (!smoke) {
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(path.join(RESULTS, 'latest.json'), `${JSON.stringify(all, undefined, 2)}\n`);
  }
  const lost = all.problems.filter((problem) => problem.lost);
  console.log(lost.length === 0 ? 'No frame was lost.' : `Frames were lost: ${JSON.stringify(lost, undefined, 2)}`);
  // Figures over their bar tell something; only lost frames, and what did not run at all, are errors.
  if (all.problems.length > 0) process.exitCode = 1;
}

main();
