/** The subjects and scenarios there are, in the order they run. */

const SUBJECTS = ['socket', 'res.write', 'better-sse', 'sse-channels', 'ssekify'];

const SCENARIOS = [
  'broadcast',
  'unicast',
  'burst',
  'rooms',
  'heap',
  'stall',
  'latency',
  'tls',
  'http2',
  'connects',
  'idle',
  'publish',
  'echo',
  'targeting',
  'tasks',
  'log-publish',
  'log-tail',
  'log-ring',
  'log-storm',
  'scale-connections',
  'scale-users',
  'scale-instances',
];

/** Loaded by name, so that a server process loads its own subject only. */
const subjectNamed = (name) => require(`../subjects/${name.replace('.', '-')}.js`);

const scenarioNamed = (name) => ({ name, ...require(`../scenarios/${name}.js`) });

module.exports = { SUBJECTS, SCENARIOS, subjectNamed, scenarioNamed };
