import { isPlainObject } from './fields.js';

/**
 * A copy of data that changes no more when its owner changes it: of plain objects and arrays, at any depth. What else is in
 * there (dates, maps, instances of classes) is for the serializer to know, and shared.
 */
export function copyOf<Value extends object>(value: Value): Value;
export function copyOf(value: object): unknown {
  const copies = new Map<object, object>();
  const waiting: [from: object, to: object][] = [];
  const copied = (each: unknown): unknown => {
    if (!Array.isArray(each) && !isPlainObject(each)) return each;
    const known = copies.get(each);
    if (known !== undefined) return known;
    const copy: object = Array.isArray(each) ? new Array(each.length) : Object.create(Object.getPrototypeOf(each));
    copies.set(each, copy);
    waiting.push([each, copy]);
    return copy;
  };
  const top = copied(value);
  // A list of what is still to be done, and no recursion: data may nest deeper than the stack allows.
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [from, to] = next;
    for (const key of Object.keys(from)) {
      const field = { value: copied(Reflect.get(from, key)), enumerable: true, writable: true, configurable: true };
      // Defined and not assigned: `__proto__` may be a field like any other.
      Object.defineProperty(to, key, field);
    }
  }
  return top;
}
