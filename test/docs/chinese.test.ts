import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { anchorOf, codeIn, ROOT, readDocument } from './markdown.js';

const english = readDocument('README.md');
const chinese = readDocument('README.zh-CN.md');
const both = [english, chinese] as const;

/** The text between the headings, without code blocks. */
function sections(text: string): { level: number; heading: string; prose: string }[] {
  const prose = text.replaceAll(/^```.*?^```$/gms, '');
  return prose.split(/^(?=#+ )/m).map((section) => {
    const [, marks = '', heading = ''] = /^(#+) (.+)$/m.exec(section) ?? [];
    return { level: marks.length, heading, prose: section.slice(section.indexOf('\n')) };
  });
}

const [inEnglish, inChinese] = both.map(({ text }) => sections(text)) as [
  ReturnType<typeof sections>,
  ReturnType<typeof sections>,
];

describe('the Chinese README', () => {
  it('has the sections of the English one, on the same levels', () => {
    expect(inEnglish.length).toBeGreaterThan(20);
    const levels = inEnglish.map(({ level, heading }) => ({ level, heading }));
    expect(inChinese.map(({ level }, index) => ({ level, heading: inEnglish[index]?.heading }))).toEqual(levels);
  });

  it('has its code blocks', () => {
    const [first, second] = both.map(({ blocks }) => blocks.map(({ name, lang, code }) => ({ name, lang, code })));
    expect(second).toEqual(first);
  });

  it('has its tables, row by row with the same names, defaults and values', () => {
    const [first, second] = both.map(({ tables }) =>
      tables.map(({ rows }) => rows.map((row) => row.map((cell) => codeIn(cell).sort()))),
    );
    expect(first?.length).toBeGreaterThan(4);
    expect(second).toEqual(first);
  });

  it('names in each section what the English one names there', () => {
    for (const [index, { heading, prose }] of inEnglish.entries()) {
      const names = codeIn(prose.replaceAll('\n', ' ')).sort();
      const there = codeIn(inChinese[index]?.prose.replaceAll('\n', ' ')).sort();
      expect({ heading, names: there }).toEqual({ heading, names });
    }
  });

  it('links in each section to where the English one links, and to what is there', () => {
    for (const [index, { heading, prose }] of inEnglish.entries()) {
      const targets = linksIn(prose, english.headings).filter((target) => target !== 'docs/zh-CN/README.md');
      const there = linksIn(inChinese[index]?.prose ?? '', chinese.headings).filter((target) => target !== 'README.md');
      expect({ heading, targets: there }).toEqual({ heading, targets });
    }
    // It can be read at two places: its links begin at the root.
    expect(chinese.links.filter((link) => !/^(?:\/|#|https?:)/.test(link))).toEqual([]);
    const files = chinese.links.filter((link) => link.startsWith('/')).map((link) => link.slice(1).split('#')[0]);
    expect(files.filter((file) => !existsSync(`${ROOT}${file}`))).toEqual([]);
  });

  it('is not packed', () => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT });
    expect(String(output)).toContain('"README.md"');
    expect(String(output)).not.toContain('zh-CN');
  });
});

/** What is linked to, sorted; a section of the same page by its place. */
function linksIn(prose: string, headings: readonly string[]): string[] {
  const places = headings.map(anchorOf);
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => (link.startsWith('#') ? `#${places.indexOf(link.slice(1))}` : link.replace(/^\//, '')))
    .sort();
}
