#!/usr/bin/env node
/** Prints where the profiles that `--cpu-prof` wrote spent their time: node bench/profile.js <folder> [rows] */
const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

/** @returns microseconds of self time by function */
function selfTimes({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const times = new Map();
  for (const [index, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    const file = url === '' ? '' : ` ${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`;
    const name = `${functionName || '(anonymous)'}${file}`;
    times.set(name, (times.get(name) ?? 0) + timeDeltas[index]);
  }
  times.delete('(idle)');
  return times;
}

function main([folder, rows = '10']) {
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'));
  for (const file of files.sort()) {
    const times = selfTimes(JSON.parse(readFileSync(path.join(folder, file), 'utf8')));
    const total = [...times.values()].reduce((sum, time) => sum + time, 0);
    const longest = [...times].sort(([, one], [, other]) => other - one).slice(0, Number(rows));
    console.log(`${file}, ${Math.round(total / 1000)} ms without idling`);
    for (const [name, time] of longest) console.log(`${((time / total) * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
}

main(process.argv.slice(2));
