/** What the TypeScript examples use of `hub.js`. */
import type { SendOptions, SSEKify, SSEKifyOptions } from 'ssekify';

export function createHub(options?: SSEKifyOptions): SSEKify;
export function namesIn(list?: unknown): string[];
export function eventIn(body: unknown): [data: unknown, options?: SendOptions];
export function answerTo(error: unknown): { status: number; body: { error: string; code?: string } };
export function port(ownPort: number): number;
