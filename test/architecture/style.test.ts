import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { nodesOf, readSources, type Source } from './sources.js';

const sources = readSources();

function place({ file, syntax }: Source, node: ts.Node): string {
  const { line } = syntax.getLineAndCharacterOfPosition(node.getStart());
  return `${file}:${line + 1} ${node.getText()}`;
}

/** What changes or sends a response. */
const WRITING = new Set([
  'write',
  'end',
  'writeHead',
  'writeContinue',
  'setHeader',
  'appendHeader',
  'removeHeader',
  'flushHeaders',
  'respond',
  'cork',
  'uncork',
]);

it('lets only the sinks write to a response', () => {
  const wrong = sources
    .filter(({ file }) => !file.startsWith('delivery/sinks/'))
    .flatMap((source) =>
      [...nodesOf(source.syntax)]
        .filter(ts.isPropertyAccessExpression)
        .filter(
          ({ name, expression }) => WRITING.has(name.text) && /\b(?:res|response|stream)$/i.test(expression.getText()),
        )
        .map((node) => place(source, node)),
    );
  expect(wrong).toEqual([]);
});

it('has no file of more than 350 lines, not counting comments and blank lines', () => {
  const long = sources
    .map(({ file, syntax }) => ({ file, lines: linesOfCode(syntax) }))
    .filter(({ lines }) => lines > 350);
  expect(long).toEqual([]);
});

function linesOfCode(syntax: ts.SourceFile): number {
  const lines = new Set<number>();
  for (const node of nodesOf(syntax)) {
    if (node.getChildCount() > 0 || ts.isJSDoc(node) || node.getText() === '') continue;
    if (ts.findAncestor(node, ts.isJSDoc) !== undefined) continue;
    const first = syntax.getLineAndCharacterOfPosition(node.getStart()).line;
    const last = syntax.getLineAndCharacterOfPosition(node.getEnd()).line;
    for (let line = first; line <= last; line += 1) lines.add(line);
  }
  return lines.size;
}

it('has no drawer for helpers, and names its files in kebab-case', () => {
  const names = sources.map(({ file }) => file);
  expect(names.filter((name) => /(?:^|\/)(?:utils?|helpers?|common|misc|shared)(?:\/|\.ts$)/.test(name))).toEqual([]);
  expect(names.filter((name) => !/^[a-z0-9]+(?:[-/][a-z0-9]+)*\.ts$/.test(name))).toEqual([]);
});

it('has no any, in the sources as in the published types', () => {
  const published = 'index.d.ts';
  const text = readFileSync(published, 'utf8');
  const types = ts.createSourceFile(published, text, ts.ScriptTarget.Latest, true);
  const found = [...sources, { file: published, text, syntax: types, imports: [] }].flatMap((source) =>
    [...nodesOf(source.syntax)]
      .filter(({ kind }) => kind === ts.SyntaxKind.AnyKeyword)
      .map((node) => place(source, node.parent)),
  );
  expect(found).toEqual([]);
});
