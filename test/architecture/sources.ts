import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

export interface Import {
  /** The imported file, as a path below `src`, or the name of a package. */
  target: string;
  /** Whether it is one of our own files. */
  own: boolean;
  /** Whether it brings in types alone, and so nothing at run time. */
  typesOnly: boolean;
}

export interface Source {
  /** Path below `src`, with `/`. */
  file: string;
  text: string;
  syntax: ts.SourceFile;
  imports: Import[];
}

/** Every file of `src`, parsed. */
export function readSources(): Source[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => parse(name.replaceAll(path.sep, '/')))
    .sort((one, other) => one.file.localeCompare(other.file));
}

function parse(file: string): Source {
  const text = readFileSync(path.join('src', file), 'utf8');
  const syntax = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  for (const node of nodesOf(syntax)) {
    const found = importedBy(node);
    if (found !== undefined) imports.push(resolve(file, found));
  }
  return { file, text, syntax, imports };
}

/** A node with everything below it. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

interface Specifier {
  name: string;
  typesOnly: boolean;
}

/** What a node imports: `import … from`, `export … from`, `import()`, `require()` of any name, `import('…')` as a type. */
function importedBy(node: ts.Node): Specifier | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
    return { name: node.moduleSpecifier.text, typesOnly: bringsTypesOnly(node.importClause) };
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier))
    return { name: node.moduleSpecifier.text, typesOnly: node.isTypeOnly };
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal))
    return { name: node.argument.literal.text, typesOnly: true };
  if (ts.isCallExpression(node) && loads(node.expression)) {
    const [name] = node.arguments;
    if (name !== undefined && ts.isStringLiteral(name)) return { name: name.text, typesOnly: false };
  }
  return undefined;
}

function loads(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && /require/i.test(callee.text));
}

function bringsTypesOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const names = clause.namedBindings;
  return (
    clause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.every((each) => each.isTypeOnly)
  );
}

function resolve(from: string, { name, typesOnly }: Specifier): Import {
  if (!name.startsWith('.')) return { target: name, own: false, typesOnly };
  const target = path.posix.join(path.posix.dirname(from), name).replace(/\.js$/, '.ts');
  return { target, own: true, typesOnly };
}
