/** Whether this is the full form, `npm run chaos`; the short one is for every change. */
export const FULL = process.env.SSEKIFY_CHAOS === 'full';

/** Picks between the two forms. */
export const inForm = <Value>({ short, full }: { short: Value; full: Value }): Value => (FULL ? full : short);
