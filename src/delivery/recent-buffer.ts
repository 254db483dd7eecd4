import type { Loss } from './dormant.js';
import { RecentFrames } from './recent-frames.js';
import type { Scope } from './scope.js';

/**
 * What one scope has kept, and the newest that it has lost; a link of the list that runs from the least recently used to the
 * most. One object for all of it: what an event for one of very many users costs is looking up what lies apart in memory.
 */
export class RecentBuffer extends RecentFrames {
  readonly scope: Scope;
  readonly maxItems: number;
  lostId: string | undefined;
  lostOrder: number;
  lostUnique: boolean;
  /** Whole milliseconds: V8 keeps them in the object, and fractions beside it. */
  usedAt = 0;
  older: RecentBuffer | undefined;
  newer: RecentBuffer | undefined;
  /** It is the scope's buffer no more. */
  dropped = false;

  constructor(scope: Scope, maxItems: number, { id, order, unique }: Loss) {
    // Those of a room or of everyone are read by many at once.
    super(scope.kind === 'user');
    this.scope = scope;
    this.maxItems = maxItems;
    this.lostId = id;
    this.lostOrder = order;
    this.lostUnique = unique;
  }

  /** The newest event that it has lost. */
  get loss(): Loss {
    return { id: this.lostId, order: this.lostOrder, unique: this.lostUnique };
  }
}

/** A scope that may have its own buffer at hand. */
export type HeldScope = Scope | (Scope & BufferHolder);

/** Something that has a scope's buffer at hand, as it was found last. */
export interface BufferHolder {
  recent: RecentBuffer | undefined;
}
