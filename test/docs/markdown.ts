/** Reads the Markdown documents of the repository, as far as the tests need it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced block, with the name in the `<!-- run: name -->` line above it. */
export interface Block {
  name: string | undefined;
  lang: string;
  code: string;
  /** Line of its fence, from 1. */
  line: number;
}

export interface Document {
  text: string;
  blocks: Block[];
  /** Texts of the headings, in order. */
  headings: string[];
  /** Targets of the links. */
  links: string[];
  /** The first table under a heading: its rows of cells, without the head. */
  table(heading: string): string[][];
  /** Rows of the first table whose head has this first cell. */
  tableOf(firstCell: string): string[][];
}

export function readDocument(file: string): Document {
  const text = readFileSync(`${ROOT}${file}`, 'utf8');
  const lines = text.split('\n');
  const blocks: Block[] = [];
  const headings: string[] = [];
  const prose: string[] = [];
  /** Tables, each with the heading it stands under. */
  const tables: { heading: string; rows: string[][] }[] = [];
  let open: Block | undefined;
  let body: string[] = [];
  lines.forEach((line, index) => {
    if (line.startsWith('```')) {
      if (open === undefined) {
        const name = /^<!-- run: (\S+) -->$/.exec(lines[index - 1] ?? '')?.[1];
        open = { name, lang: line.slice(3).trim(), code: '', line: index + 1 };
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
        tables.at(-1)?.rows.push(cellsOf(line));
      }
    }
  });
  if (open !== undefined) throw new Error(`${file}: a block is not closed`);
  const rowsOf = (found: { rows: string[][] } | undefined, what: string) => {
    if (found === undefined) throw new Error(`${file} has no table ${what}`);
    return found.rows.slice(2);
  };
  return {
    text,
    blocks,
    headings,
    links: [...prose.join('\n').matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? ''),
    table: (heading) =>
      rowsOf(
        tables.find((table) => table.heading === heading),
        `under ${heading}`,
      ),
    tableOf: (firstCell) =>
      rowsOf(
        tables.find(({ rows }) => rows[0]?.[0] === firstCell),
        `with ${firstCell}`,
      ),
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
