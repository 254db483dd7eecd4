/** The names this page listens for: an EventSource hears only those. Names typed into the form are added. */
const names = new Set(['message', 'hello', 'notify', 'chat']);
const MAX_LINES = 500;

/** One simulated device: an EventSource that can lose its network and come back with the last id it saw. */
class Pane {
  #root;
  #source;
  #lastId = '';
  /** Until the server says `live`, what arrives was missed and is resent. */
  #resuming = false;

  constructor(user, rooms) {
    const { content } = document.querySelector('#pane');
    this.#root = content.cloneNode(true).firstElementChild;
    this.#part('[name=user]').value = user;
    this.#part('[name=rooms]').value = rooms;
    this.#part('.log').setAttribute('aria-label', `Events of ${user}`);
    this.#root.addEventListener('click', ({ target }) => this.#act(target.dataset.do));
    this.#show('idle');
  }

  get element() {
    return this.#root;
  }

  get user() {
    return this.#part('[name=user]').value.trim();
  }

  listenFor(name) {
    this.#source?.addEventListener(name, this.#onEvent);
  }

  #act(what) {
    if (what === 'connect') {
      this.#lastId = '';
      this.#part('.log').replaceChildren();
      this.#open();
    } else if (what === 'drop') {
      this.#source.close();
      this.#source = undefined;
      this.#note('network lost');
      this.#show('dropped');
    } else if (what === 'back') {
      this.#open();
    } else if (what === 'close') {
      post(`/close/${encodeURIComponent(this.user)}`);
    }
  }

  #open() {
    const query = new URLSearchParams({ userId: this.user, rooms: this.#part('[name=rooms]').value });
    // A browser that reconnects by itself sends the header Last-Event-ID; a new EventSource can only use the query.
    if (this.#lastId !== '') query.set('lastEventId', this.#lastId);
    this.#source?.close();
    const source = new EventSource(`/sse?${query}`);
    this.#source = source;
    source.addEventListener('open', () => {
      this.#resuming = this.#lastId !== '';
      this.#show('resuming');
    });
    source.addEventListener('error', () => {
      if (source !== this.#source) return;
      const refused = source.readyState === EventSource.CLOSED;
      this.#note(refused ? 'refused by the server' : 'connection lost, the browser tries again');
      this.#show(refused ? 'refused' : 'connecting');
    });
    source.addEventListener('live', ({ data }) => {
      const { rooms, resumedAfter } = JSON.parse(data);
      this.#resuming = false;
      this.#note(
        `${resumedAfter === null ? 'live' : 'caught up, live again'}${rooms.length ? ` in ${rooms.join(', ')}` : ''}`,
      );
      this.#show('live');
    });
    source.addEventListener('server:gap', ({ data }) => {
      this.#note(
        `gap (${JSON.parse(data).reason}): some events are gone for good, an application refetches now`,
        'gap',
      );
    });
    // It only moves the last id, so that one gap is told once.
    source.addEventListener('server:cursor', ({ lastEventId }) => this.#remember(lastEventId));
    source.addEventListener('server:shutdown', () => {
      this.#note('the server shuts down, the browser will come back by itself', 'gap');
    });
    for (const name of names) this.listenFor(name);
    this.#show('connecting');
  }

  #onEvent = ({ type, data, lastEventId }) => {
    this.#remember(lastEventId);
    const line = element('li', 'event');
    line.dataset.replayed = this.#resuming;
    const sentAt = timestampIn(data);
    line.append(
      element('time', '', clock(this.#resuming && sentAt ? sentAt : new Date())),
      element('b', 'name', type),
      element('span', 'data', withoutTimestamp(data)),
      element('span', 'tag', this.#resuming ? 'replayed' : ''),
      element('code', 'id', lastEventId),
    );
    this.#append(line);
  };

  #remember(id) {
    if (id !== '') this.#lastId = id;
    this.#part('.last').textContent = this.#lastId === '' ? 'no id yet' : `last id ${this.#lastId}`;
  }

  #note(text, kind = '') {
    this.#append(element('li', `note ${kind}`, text));
  }

  #append(line) {
    const log = this.#part('.log');
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(line);
    if (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  #show(state) {
    const connected = this.#source !== undefined && state !== 'refused';
    this.#root.dataset.state = state;
    this.#part('.state').textContent = state;
    this.#remember('');
    for (const input of this.#root.querySelectorAll('input')) input.disabled = connected;
    const dropped = state === 'dropped';
    const allowed = { connect: !connected, drop: connected, back: dropped, close: connected };
    for (const [what, is] of Object.entries(allowed)) this.#part(`[data-do=${what}]`).disabled = !is;
    this.#part('[data-do=connect]').textContent = dropped ? 'Start over' : 'Connect';
    this.#part('[data-do=connect]').classList.toggle('primary', !dropped);
    this.#part('[data-do=back]').classList.toggle('primary', dropped);
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }
}

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

const clock = (date) => date.toLocaleTimeString([], { hour12: false });

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** When the server sent it: ssekify adds `timestamp` to data that is an object. */
function timestampIn(data) {
  const value = parsed(data)?.timestamp;
  const date = new Date(value);
  return value === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}

/** The data as it came, less the time that has a column of its own. */
function withoutTimestamp(data) {
  const value = parsed(data);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return data;
  const { timestamp, ...rest } = value;
  return Object.keys(rest).length === 1 && typeof rest.text === 'string' ? rest.text : JSON.stringify(rest);
}

async function post(path, body = {}) {
  const headers = { 'Content-Type': 'application/json' };
  try {
    const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.json();
    say(answer.error ?? `${path} → ${JSON.stringify(answer)}`, !response.ok);
  } catch {
    say('the server cannot be reached', true);
  }
  showStats();
}

function say(text, failed) {
  const outcome = document.querySelector('#outcome');
  outcome.textContent = text;
  outcome.dataset.failed = failed;
}

async function showStats() {
  let stats = {};
  try {
    stats = await (await fetch('/stats')).json();
    stats.gaps = Object.values(stats.gaps).reduce((sum, count) => sum + count, 0);
  } catch {
    // The server is away; the next look may find it again.
  }
  for (const cell of document.querySelectorAll('[data-stat]')) cell.textContent = stats[cell.dataset.stat] ?? '–';
}

const panes = [new Pane('ann', 'news'), new Pane('bob', 'news, sport')];
document.querySelector('#panes').append(...panes.map((pane) => pane.element));

const form = document.querySelector('#send');

function target() {
  const chosen = form.elements.target.value;
  if (chosen === 'all') return '/broadcast';
  if (chosen === 'room') return `/room/${encodeURIComponent(form.elements.room.value.trim())}`;
  return `/notify/${encodeURIComponent(panes[Number(chosen.at(-1))].user)}`;
}

function listenForTyped() {
  const name = form.elements.event.value.trim() || 'message';
  if (!names.has(name)) {
    names.add(name);
    for (const pane of panes) pane.listenFor(name);
  }
  return name;
}

function dataTyped() {
  const text = form.elements.text.value;
  return /^\s*[[{]/.test(text) ? (parsed(text) ?? { text }) : { text };
}

function send(data) {
  return post(target(), { event: listenForTyped(), data });
}

form.addEventListener('submit', (submission) => {
  submission.preventDefault();
  send(dataTyped());
});

document.querySelector('#burst').addEventListener('click', async () => {
  for (let n = 1; n <= 25; n += 1) await send({ text: `${form.elements.text.value} ${n}` });
});

function refresh() {
  document.querySelector('.room').hidden = form.elements.target.value !== 'room';
  for (const [index, pane] of panes.entries()) {
    document.querySelector(`[data-user="${index}"]`).textContent = pane.user || '(no name)';
  }
}
document.addEventListener('input', refresh);
refresh();

showStats();
setInterval(() => {
  if (!document.hidden) showStats();
}, 1000);
