import { expect, it } from 'vitest';
import { readDocument } from './markdown.js';

/** Each row of the page's figures, and the heading of the table of the benchmarks that it is from. */
const SOURCES: Readonly<Record<string, string>> = {
  'Broadcast to 1,000, µs per delivery': 'Broadcast to 1,000 connections',
  'An event of its own to each of 1,000 users, µs': 'Unicast: an event of its own to each of 1,000 users',
  'Ten broadcasts in one tick, µs per delivery': 'Burst: 10 broadcasts in one tick to 1,000 connections',
  'To each of ten rooms, µs per delivery': 'Rooms: an event to each of 10 rooms, 1,000 connections in all',
  'Heap of an idle connection, KiB': 'Heap of an idle connection',
  'The event loop held by a broadcast to 5,000, ms':
    'Event loop held by one broadcast, and by a round of heartbeats, to 5,000 connections',
};

it('shows the figures of the last benchmarks, and no others', () => {
  const { tables } = readDocument('bench/README.md');
  const [figures] = readDocument('docs/comparison.md').tables.filter(({ heading }) => heading === 'Figures');
  const [[, ...subjects] = [], ...rows] = figures?.rows ?? [];
  expect(rows.map(([name]) => name)).toEqual(Object.keys(SOURCES));
  for (const [name = '', ...shown] of rows) {
    const measured = tables.find(({ heading }) => heading === SOURCES[name])?.rows ?? [];
    const medians = subjects.map((subject) => measured.find(([each]) => each === subject.replaceAll('`', ''))?.[1]);
    expect({ name, shown }).toEqual({ name, shown: medians });
  }
});
