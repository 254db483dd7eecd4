const byId = (id) => document.getElementById(id);

/** Fills a table with names and values, as text: a user may be called anything. */
function fill(table, entries) {
  const rows = entries.map(([name, value]) => {
    const row = document.createElement('tr');
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = name;
    const cell = document.createElement('td');
    cell.textContent = typeof value === 'object' ? JSON.stringify(value) : String(value);
    row.append(head, cell);
    return row;
  });
  table.replaceChildren(...rows);
}

const watching = new EventSource('watch');
watching.addEventListener('open', () => {
  byId('state').textContent = 'live';
});
watching.addEventListener('error', () => {
  byId('state').textContent = watching.readyState === EventSource.CLOSED ? 'refused' : 'connecting';
});
watching.addEventListener('state', ({ data }) => {
  const { users, stats } = JSON.parse(data);
  fill(byId('users'), Object.entries(users));
  fill(byId('stats'), Object.entries(stats));
});

// Over HTTP/1 a browser opens six streams to a host, of which one is the page's own. More: from curl.
const opened = [];
byId('open').addEventListener('submit', (event) => {
  event.preventDefault();
  opened.push(new EventSource(`sse?userId=${encodeURIComponent(byId('user').value)}`));
});
byId('close').addEventListener('click', () => opened.pop()?.close());
byId('send').addEventListener('click', () => {
  const headers = { 'Content-Type': 'application/json' };
  fetch('broadcast', { method: 'POST', headers, body: JSON.stringify({ data: 'Hello' }) });
});
