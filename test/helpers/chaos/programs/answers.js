/** The child's side of a process that answers questions: settings on its command line, questions over its IPC channel. */

/** What the tests gave this process. */
const settings = JSON.parse(process.argv[2]);

/** Answers questions with these functions, each of which takes the question's argument, until the tests let go. */
function answer(questions) {
  process.on('message', async ({ id, question, argument }) => {
    let reply;
    try {
      reply = { id, result: JSON.stringify((await questions[question](argument)) ?? null) };
    } catch (error) {
      reply = { id, error: error.stack ?? String(error) };
    }
    if (process.connected) process.send(reply);
  });
  // Whoever asks is gone: nobody else would end this process.
  process.on('disconnect', () => process.exit());
}

/** Listens to the tests no longer, so that this process ends as soon as it has nothing else to do. */
function stopAnswering() {
  process.removeAllListeners('disconnect');
  if (process.connected) process.disconnect();
}

module.exports = { settings, answer, stopAnswering };
