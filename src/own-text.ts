/** A text without the longer one that it was cut out of and would keep in memory: what is joined is copied before it is cut. */
export const ownText = (text: string) => ` ${text}`.slice(1);
