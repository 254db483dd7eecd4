/** The clock that all processes of a machine share, in milliseconds. */

/** The largest offset seen is the best: what comes between the two readings only makes it smaller. */
function offset() {
  let largest = Number.NEGATIVE_INFINITY;
  for (let reading = 0; reading < 1000; reading += 1) {
    const shared = Number(process.hrtime.bigint()) / 1e6;
    largest = Math.max(largest, shared - performance.now());
  }
  return largest;
}

const offsetMs = offset();

const sharedNow = () => performance.now() + offsetMs;

module.exports = { sharedNow };
