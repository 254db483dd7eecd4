import { checkUserId } from '../names.js';
import type { Scope } from '../types.js';

export const EVERYONE: Scope = { kind: 'all' };
export const userScope = (name: string): Scope => ({ kind: 'user', name });
export const roomScope = (name: string): Scope => ({ kind: 'room', name });

export type { Scope };

/** Everyone's scope, or a user's. */
export const scopeFor = (userId: unknown): Scope => (userId === undefined ? EVERYONE : userScope(checkUserId(userId)));
