import { SSEKifyError, show } from './errors.js';
import { MAX_TIMER_MS } from './wire/fields.js';

/** Reads one option: gives its value, or throws saying which option, which value and what is allowed. */
export type Check<T> = (value: unknown, name: string) => T;

export type Values<Schema extends Record<string, Check<unknown>>> = { [Key in keyof Schema]: ReturnType<Schema[Key]> };

export function refuse(name: string, value: unknown, allowed: string): never {
  throw new SSEKifyError('INVALID_OPTION', `${name} is ${show(value)}: expected ${allowed}.`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a value is an object with these methods, its own or inherited. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === 'function');
}

/** Reads an options object by its schema; a name that the schema lacks is an error, since it is most likely a typo. */
export function readOptions<Schema extends Record<string, Check<unknown>>>(
  schema: Schema,
  input: unknown,
  where: string,
): Values<Schema>;
export function readOptions(schema: Record<string, Check<unknown>>, input: unknown, where: string) {
  const given = input === undefined ? {} : input;
  if (!isRecord(given)) refuse(where, given, 'an object');
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(schema, name)) {
      refuse(`${where}[${show(name)}]`, given[name], `one of the options ${Object.keys(schema).join(', ')}`);
    }
  }
  const values: Record<string, unknown> = {};
  for (const [name, check] of Object.entries(schema)) values[name] = check(given[name], `${where}.${name}`);
  return values;
}

/** An integer in a range; `undefined` is the default. */
export function integer<Default>(fallback: Default, min: number, max = Number.MAX_SAFE_INTEGER, unit = '') {
  return (value: unknown, name: string): number | Default => {
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    const upTo = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    return refuse(name, value, `an integer ${upTo}${unit}`);
  };
}

/** Milliseconds that a timer can keep. */
export const milliseconds = <Default>(fallback: Default, min = 0) => integer(fallback, min, MAX_TIMER_MS, ' (ms)');

export function flag(fallback: boolean): Check<boolean> {
  return (value, name) => {
    if (value === undefined) return fallback;
    return typeof value === 'boolean' ? value : refuse(name, value, 'true or false');
  };
}

/** A non-empty string. */
export function text<Default>(fallback: Default) {
  return (value: unknown, name: string): string | Default => {
    if (value === undefined) return fallback;
    return typeof value === 'string' && value !== '' ? value : refuse(name, value, 'a non-empty string');
  };
}

export function oneOf<const Value extends string | number | boolean, Default>(
  allowed: readonly Value[],
  fallback: Default,
) {
  return (value: unknown, name: string): Value | Default => {
    if (value === undefined) return fallback;
    const found = allowed.find((candidate) => candidate === value);
    return found ?? refuse(name, value, `one of ${allowed.map((each) => show(each)).join(', ')}`);
  };
}
