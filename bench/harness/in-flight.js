/** Does something `times` times, with so many under way at once. @returns milliseconds */
async function inFlight(act, { times, atOnce }) {
  const startedAt = performance.now();
  let next = 0;
  const one = async () => {
    while (next < times) {
      next += 1;
      await act(next - 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return performance.now() - startedAt;
}

module.exports = { inFlight };
