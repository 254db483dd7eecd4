/** What stands on the command line. */
const { parseArgs } = require('node:util');
const { SCENARIOS, SUBJECTS } = require('./catalogue.js');

const HELP = `npm run bench -- [options]

  --only a,b       run these scenarios (${SCENARIOS.join(', ')})
  --subjects a,b   measure these subjects (${SUBJECTS.join(', ')})
  --rounds n       rounds of every scenario, instead of its own number
  --quick          smaller and shorter: for a first look
  --smoke          tiny, with the build of the working tree: only tells whether all works and nothing is lost
  --installed      measure the ssekify that an earlier run packed and installed
  --readme         put the tables in bench/README.md
  --cpu-prof dir   write a CPU profile of every server process there
  --help`;

function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      subjects: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      readme: { type: 'boolean', default: false },
      installed: { type: 'boolean', default: false },
      'cpu-prof': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) throw new Error('--rounds takes a number');
  return {
    help: values.help ? HELP : undefined,
    scenarios: listed('--only', values.only, SCENARIOS) ?? SCENARIOS,
    subjects: listed('--subjects', values.subjects, SUBJECTS),
    rounds,
    size: values.smoke ? 'smoke' : values.quick ? 'quick' : 'full',
    installed: values.installed,
    readme: values.readme,
    profiles: values['cpu-prof'],
  };
}

function listed(option, value, known) {
  if (value === undefined) return undefined;
  const names = value.split(',');
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`${option}: ${unknown.join(', ')} is none of ${known.join(', ')}`);
  return names;
}

module.exports = { readOptions };
