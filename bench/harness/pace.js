const { sharedNow } = require('./clock.js');

/** Sends at a steady rate, whatever the clients do. @returns when each event was sent, on the machine's clock, in ms */
async function pace(send, { perSecond, events }) {
  const sentAt = [];
  const startedAt = performance.now();
  for (let event = 0; event < events; event += 1) {
    const due = startedAt + (event * 1000) / perSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    sentAt.push(sharedNow());
    send();
  }
  return sentAt;
}

module.exports = { pace };
