/** A connection to an upstream source of events, which is made again, later and later, whenever it is lost. */
const { EventSource } = require('eventsource');

/**
 * An upstream: `open()` and `close()` as often as you like.
 *
 * - `url`: where the source is. It may hold a secret, and so may the headers: neither is ever logged or shown.
 * - `headers`: a function that gives the headers of each connect, so that a token that was renewed is used from then on.
 * - `events`: the names to listen for; an EventSource hears no others.
 * - `onEvent({ event, data })`: `data` is text.
 * - `retryMs`, `maxRetryMs`: the pause before the second try, doubled with each one that fails, and its limit.
 */
exports.createUpstream = ({ url, headers, events, onEvent, retryMs = 1000, maxRetryMs = 30_000 }) => {
  const target = parse(url);
  const counts = { events: 0, connects: 0, failures: 0 };
  let state = 'closed';
  let source;
  let timer;
  let lastEventId = '';
  let failuresInARow = 0;
  /** What went wrong last, in words that hold no secret. */
  let problem;

  function connect() {
    state = 'connecting';
    let reason;
    const connecting = new EventSource(target, {
      fetch: async (address, init) => {
        try {
          const resume = lastEventId === '' ? {} : { 'Last-Event-ID': encodeId(lastEventId) };
          const answer = await fetch(address, {
            ...init,
            headers: { ...init.headers, ...resume, ...(await headers()) },
          });
          if (!answer.ok) reason = `HTTP ${answer.status}`;
          else if (!answer.headers.get('Content-Type')?.startsWith('text/event-stream')) reason = 'no event stream';
          return answer;
        } catch (error) {
          reason = error.cause?.code ?? error.code ?? error.name;
          throw error;
        }
      },
    });
    source = connecting;
    connecting.addEventListener('open', () => {
      if (source !== connecting) return;
      state = 'open';
      counts.connects += 1;
    });
    for (const event of events) {
      connecting.addEventListener(event, (message) => {
        // Named 'error' it would look like the EventSource's own.
        if (source !== connecting || message.data === undefined) return;
        // One that is accepted and dropped at once, again and again, is still to be spared: an event is what counts.
        failuresInARow = 0;
        problem = undefined;
        // A new EventSource knows of no id before; the position stays what it was.
        if (message.lastEventId !== '') lastEventId = message.lastEventId;
        counts.events += 1;
        onEvent({ event, data: message.data });
      });
    }
    connecting.addEventListener('error', () => {
      if (source === connecting) retry(reason ?? 'the stream ended');
    });
  }

  /** An EventSource gives up on most answers for good, and comes back to others every few seconds: neither is wanted. */
  function retry(reason) {
    source.close();
    const pause = Math.min(retryMs * 2 ** failuresInARow, maxRetryMs);
    // Spread out, so that many bridges do not come back to a source that has just started at the same moment.
    const pauseMs = Math.round(pause * (0.5 + Math.random() / 2));
    failuresInARow += 1;
    counts.failures += 1;
    problem = reason;
    state = 'waiting';
    console.error(`upstream: ${reason}; again in ${pauseMs} ms`);
    timer = setTimeout(connect, pauseMs);
  }

  return {
    open() {
      if (state === 'closed') connect();
    },
    close() {
      if (state === 'closed') return;
      state = 'closed';
      clearTimeout(timer);
      source.close();
      source = undefined;
      failuresInARow = 0;
      problem = undefined;
    },
    /** Safe to show to anybody. */
    status: () => ({ state, ...counts, resumesAfter: lastEventId || null, problem: problem ?? null }),
  };
};

/** Without the text in the error: it may hold a password. */
function parse(url) {
  if (!URL.canParse(url)) throw new Error('the URL of the upstream is no URL');
  const target = new URL(url);
  if (target.username !== '' || target.password !== '') {
    throw new Error('the URL of the upstream has a password in it: send it in a header');
  }
  return target;
}

/** A header takes Latin-1; what the id is in UTF-8, as the standard says. */
const encodeId = (id) => Buffer.from(id).toString('latin1');
