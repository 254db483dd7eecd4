import { SSEKifyError } from '../errors.js';
import type { AutoFieldsSettings } from './options.js';

/** Data that fields can be added to. */
export type PlainObject = Record<string, unknown>;

/** Whether a value is an object literal (of any realm) or an object without prototype. */
export function isPlainObject(value: unknown): value is PlainObject {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

let isoMs = Number.NaN;
let iso = '';
let isoField = '';

/** The time as data gets it; made once a millisecond. */
function isoTimestamp(now: number): string {
  if (now !== isoMs) {
    iso = new Date(now).toISOString();
    isoField = `,"timestamp":"${iso}"`;
    isoMs = now;
  }
  return iso;
}

/** The automatic timestamp as JSON text to be put behind other fields; `''` when `data` has its own. */
export function timestampField(data: PlainObject, timestamp: AutoFieldsSettings['timestamp'], now: number): string {
  if (timestamp === false || data.timestamp !== undefined) return '';
  if (timestamp === 'epochMs') return `,"timestamp":${now}`;
  isoTimestamp(now);
  return isoField;
}

/** Gives a copy of `data` with the automatic fields it lacks. */
export function addFields(
  data: PlainObject,
  { timestamp, traceId, requestId }: AutoFieldsSettings,
  now: number,
): PlainObject {
  const stamped = { ...data };
  if (timestamp !== false && stamped.timestamp === undefined) {
    stamped.timestamp = timestamp === 'iso' ? isoTimestamp(now) : now;
  }
  if (traceId.mode !== 'off') addFrom(traceId, stamped, data);
  if (requestId.mode !== 'off') addFrom(requestId, stamped, data);
  return stamped;
}

type Source = AutoFieldsSettings['traceId'] | AutoFieldsSettings['requestId'];

function addFrom({ mode, getter, fieldName }: Source, stamped: PlainObject, data: PlainObject): void {
  if (!isMissing(stamped[fieldName])) return;
  const value = getter?.(data);
  if (!isMissing(value)) stamped[fieldName] = value;
  else if (mode === 'require') {
    throw new SSEKifyError(
      'REQUEST_ID_REQUIRED',
      `data has no ${fieldName}, which autoFields.requestId requires; set it, or give a getter that does.`,
    );
  }
}

const isMissing = (value: unknown) => value === undefined || value === null || value === '';
