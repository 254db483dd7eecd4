/** Reads the Markdown documents of the repository, as far as the tests need it. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The documentation: README.md, and the pages in docs. */
export const PAGES: readonly string[] = [
  'README.md',
  ...readdirSync(`${ROOT}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
];

/** A fenced block, with the name in the `<!-- run: name -->` line above it. */
export interface Block {
  file: string;
  name: string | undefined;
  lang: string;
  code: string;
  /** Line of its fence, from 1. */
  line: number;
}

export interface Document {
  file: string;
  text: string;
  blocks: Block[];
  /** Texts of the headings, in order. */
  headings: string[];
  /** Targets of the links. */
  links: string[];
  tables: Table[];
}

export interface Table {
  /** What it stands under. */
  heading: string;
  /** Its head and its rows, without the line between them. */
  rows: string[][];
}

/** Tables of several documents; each is named so that there is no more than one. */
export class Tables {
  readonly #tables: readonly Table[];

  constructor(documents: readonly Document[]) {
    this.#tables = documents.flatMap(({ tables }) => tables);
  }

  /** Rows of the first table under the heading, without its head. */
  under(heading: string): string[][] {
    const tables = this.#tables.filter((table) => table.heading === heading);
    if (tables[0] === undefined) throw new Error(`there is no table under ${heading}`);
    return tables[0].rows.slice(1);
  }

  /** Rows of the table whose head has this first cell, without its head. */
  headed(firstCell: string): string[][] {
    const [table, other] = this.#tables.filter(({ rows }) => rows[0]?.[0] === firstCell);
    if (table === undefined || other !== undefined) throw new Error(`there is not one table headed ${firstCell}`);
    return table.rows.slice(1);
  }
}

export function readDocument(file: string): Document {
  const text = readFileSync(`${ROOT}${file}`, 'utf8');
  const lines = text.split('\n');
  const blocks: Block[] = [];
  const headings: string[] = [];
  const prose: string[] = [];
  /** Tables, each with the heading it stands under. */
  const tables: Table[] = [];
  let open: Block | undefined;
  let body: string[] = [];
  lines.forEach((line, index) => {
    if (line.startsWith('```')) {
      if (open === undefined) {
        const name = /^<!-- run: (\S+) -->$/.exec(lines[index - 1] ?? '')?.[1];
        open = { file, name, lang: line.slice(3).trim(), code: '', line: index + 1 };
        body = [];
      } else {
        blocks.push({ ...open, code: body.join('\n') });
        open = undefined;
      }
    } else if (open !== undefined) {
      body.push(line);
    } else {
      prose.push(line);
      const heading = /^#+ (.+)$/.exec(line)?.[1];
      if (heading !== undefined) headings.push(heading);
      if (line.startsWith('|')) {
        if (!(lines[index - 1] ?? '').startsWith('|')) tables.push({ heading: headings.at(-1) ?? '', rows: [] });
        if (!/^[|-]+$/.test(line)) tables.at(-1)?.rows.push(cellsOf(line));
      }
    }
  });
  if (open !== undefined) throw new Error(`${file}: a block is not closed`);
  return {
    file,
    text,
    blocks,
    headings,
    links: [...prose.join('\n').matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? ''),
    tables,
  };
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim());
}

/** What is in backticks in a cell, in order. */
export function codeIn(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
}

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** The block of that name, on whatever page it stands. */
export function blockNamed(name: string): Block {
  const found = PAGES.flatMap((page) => readDocument(page).blocks).find((each) => each.name === name);
  if (found === undefined) throw new Error(`the documentation has no block ${name}`);
  return found;
}
