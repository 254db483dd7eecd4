/**
 * Lets V8 find the methods of strings at once again. A class that extends `String`, as one in ioredis 6 does, leaves it to search a
 * table at each call, everywhere in the process, until something is stored in an object that inherits from `String.prototype`.
 */
export function settleStringMethods(): void {
  const text: { settled?: boolean } = Object('');
  text.settled = true;
}
