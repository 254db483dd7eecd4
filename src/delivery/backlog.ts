import type { Frame } from '../wire/frame.js';

/** What a connection has to read before frames with an id are given to it as they come. */
export interface Backlog {
  /**
   * Frames to write next; `'later'`: `readOn` of the connection is called when there are; `'done'`: it is live.
   * @param open - else the connection is ending: it is given only what it will not come back for
   */
  next(open: boolean): readonly Frame[] | 'later' | 'done';
}
