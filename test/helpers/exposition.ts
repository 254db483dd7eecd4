/** Reads the text formats that Prometheus scrapes, strictly: what breaks their grammar throws. */
export interface Sample {
  /** With the `_total` of a counter. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;

export class Exposition {
  readonly families = new Map<string, Family>();

  constructor(text: string) {
    if (!text.endsWith('\n')) throw new Error('the last line does not end');
    const help = new Map<string, string>();
    let current: { name: string; family: Family } | undefined;
    for (const line of text.slice(0, -1).split('\n')) {
      const [, word, name = '', rest = ''] = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`).exec(line) ?? [];
      if (word === 'HELP') {
        if (help.has(name)) throw new Error(`${name} has help twice`);
        help.set(name, rest);
      } else if (word === 'TYPE') {
        if (this.families.has(name)) throw new Error(`${name} has a type twice`);
        const family = { help: help.get(name) ?? '', type: rest, samples: [] };
        this.families.set(name, family);
        current = { name, family };
      } else if (line !== '' && line !== '# EOF') {
        const sample = sampleIn(line);
        if (current === undefined || !isOf(sample, current.name, current.family.type)) {
          throw new Error(`a sample that is not of the family before it: ${line}`);
        }
        if (current.family.samples.some((other) => sameSeries(other, sample))) throw new Error(`twice: ${line}`);
        current.family.samples.push(sample);
      }
    }
  }

  get samples(): Sample[] {
    return [...this.families.values()].flatMap(({ samples }) => samples);
  }

  /** The value of the one series with this name, and with these labels among its own. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels);
    const found = this.samples.filter(
      (sample) => sample.name === name && wanted.every(([label, text]) => sample.labels[label] === text),
    );
    if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} series are ${name}`);
    return found[0].value;
  }
}

/** What the names of a family's samples end with, beside its own; OpenMetrics names a counter without its `_total`. */
const SUFFIXES: Readonly<Record<string, RegExp>> = {
  counter: /^(?:_total)?$/,
  gauge: /^$/,
  histogram: /^_(?:bucket|sum|count)$/,
  summary: /^(?:_sum|_count)?$/,
};

function isOf(sample: Sample, name: string, type: string): boolean {
  return sample.name.startsWith(name) && SUFFIXES[type]?.test(sample.name.slice(name.length)) === true;
}

const VALUE = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]Inf|NaN)$/i;

function sampleIn(line: string): Sample {
  const [, name, labels = '', number = ''] = SAMPLE.exec(line) ?? [];
  if (name === undefined || !VALUE.test(number)) throw new Error(`not a sample: ${line}`);
  return { name, labels: labelsIn(labels), value: Number(number.replace(/Inf$/i, 'Infinity')) };
}

function labelsIn(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const [whole, name, escaped = ''] = LABEL.exec(rest) ?? [];
    if (whole === undefined || name === undefined) throw new Error(`not a label: ${rest}`);
    if (Object.hasOwn(labels, name)) throw new Error(`the label ${name} twice in ${text}`);
    labels[name] = escaped.replace(/\\([\\"n])/g, (_, each: string) => (each === 'n' ? '\n' : each));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function sameSeries(one: Sample, other: Sample): boolean {
  const text = ({ name, labels }: Sample) => JSON.stringify([name, Object.entries(labels).sort()]);
  return text(one) === text(other);
}
