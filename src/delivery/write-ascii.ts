const below: unknown = Reflect.get(Buffer.prototype, 'latin1Write');

/** Writes ASCII for which there is room, without the checks of `Buffer.write`, where Node has what that one calls. */
export const writeAscii: (into: Buffer, text: string, at: number) => void =
  typeof below === 'function'
    ? (into, text, at) => {
        below.call(into, text, at, text.length);
      }
    : (into, text, at) => {
        into.write(text, at, 'latin1');
      };
