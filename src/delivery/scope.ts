import type { Scope } from '../types.js';

export const EVERYONE: Scope = { kind: 'all' };
export const userScope = (name: string): Scope => ({ kind: 'user', name });
export const roomScope = (name: string): Scope => ({ kind: 'room', name });

export type { Scope };
