import type { Scope, ScopeKind } from '../types.js';
import type { WireEvent } from '../wire/frame.js';

/** What travels between instances for one event. */
export interface Envelope {
  /** Version of the format. */
  v?: number;
  /** Unique per publish; echoes and duplicates are known by it. */
  n?: string;
  /** Whom the event is for. */
  type: ScopeKind;
  /** The user's id or the room's name; absent for everyone. */
  target?: string;
  event?: string;
  id?: string;
  retry?: number;
  /** When it was published, in epoch milliseconds. */
  at?: number;
  /** The instance that published it. */
  origin?: string;
  /** What was sent, with its automatic fields. */
  data: unknown;
}

/** The envelope of an event, for those who listen to `'publish'`. */
export function envelopeOf({ kind, name }: Scope, { id, event, retry, text }: WireEvent, origin: string): Envelope {
  return {
    v: 1,
    type: kind,
    ...(name !== undefined && { target: name }),
    ...(event !== undefined && { event }),
    ...(id !== undefined && { id }),
    ...(retry !== undefined && { retry }),
    at: Date.now(),
    origin,
    data: parsed(text),
  };
}

/** Data as it was before it became text; text that is no JSON stays text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
