import type { LogEntry } from './entry.js';

const MAX_ENTRIES = 500;
/** What a slow client may keep in memory while it reads, and what a slow link may take in one answer. */
const PAGE_BYTES = 1024 * 1024;
const GROWTH = 8;

/** How much of the log is read at once: it begins with one entry, which alone may be as large as a page. */
export class PageSize {
  entries = 1;

  /** Goes by how large these were. */
  fit(entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    const length = entries.reduce((sum, { message = '' }) => sum + message.length, 1);
    const fitting = Math.ceil((PAGE_BYTES * entries.length) / length);
    this.entries = Math.min(MAX_ENTRIES, this.entries * GROWTH, fitting);
  }
}
