import type { Stamper } from '../stamp/stamper.js';
import type { WireEvent } from '../wire/frame.js';
import { parsed } from './envelope.js';

/** Looks for numbers in the data of received events, and parses for that only data that may have one. */
export function foreignNumbers(stamper: Stamper, enabled: boolean, fieldName: string): (event: WireEvent) => void {
  if (!enabled) return () => undefined;
  // Without its first quote, which is found too often. Something escaped may be the name.
  const sign = JSON.stringify(fieldName).slice(1);
  return ({ text }) => {
    if (text.includes(sign) || text.includes('\\')) stamper.see(parsed(text));
  };
}
