/** Runs a scenario: its subjects in turn, in several rounds, each round beginning with another one. */
const { SUBJECTS, subjectNamed } = require('./catalogue.js');

const ROUNDS = { full: 5, quick: 3, smoke: 1 };

function subjectsOf(scenario, size, wanted) {
  if (size === 'smoke' && scenario.smokeSubjects !== undefined) return scenario.smokeSubjects;
  if (scenario.subjects !== undefined) return scenario.subjects;
  const protocol = scenario.protocol ?? 'http';
  return [...(wanted ?? SUBJECTS), ...(scenario.floors ?? [])].filter((name) =>
    subjectNamed(name).protocols.includes(protocol),
  );
}

/** @returns figures by subject, each a list with one entry per round, `undefined` where a round failed; and what failed */
async function runRounds(scenario, { size, rounds, subjects: wanted }, report) {
  const subjects = subjectsOf(scenario, size, wanted);
  const samples = Object.fromEntries(subjects.map((name) => [name, []]));
  const problems = [];
  const own = scenario.rounds ?? ROUNDS[size];
  const count = rounds ?? (size === 'full' ? own : Math.min(ROUNDS[size], own));
  for (let round = 0; round < count; round += 1) {
    const turn = scenario.together ? [undefined] : rotated(subjects, round);
    for (const subject of turn) {
      try {
        const result = await scenario.measure({ scenario, subject, size: scenario.sizes[size] });
        const bySubject = scenario.together ? result : { [subject]: result };
        for (const [name, figures] of Object.entries(bySubject)) samples[name][round] = figures;
        report(round, bySubject);
      } catch (error) {
        const lost = error.lost === true;
        problems.push({ scenario: scenario.name, subject, round, lost, message: error.message });
      }
    }
  }
  return { samples, problems };
}

/** Backwards every other round, so that nobody always follows the same neighbour. */
function rotated(names, round) {
  const from = round % names.length;
  const turn = [...names.slice(from), ...names.slice(0, from)];
  return round % 2 === 0 ? turn : turn.reverse();
}

module.exports = { runRounds };
