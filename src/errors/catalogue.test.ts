import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CatalogueEntry, catalogue } from './catalogue.ts';

/** docs/errors.md and the catalogue say the same: the table is compared line by line. */
const documented = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'));

const lineOf = ([key, entry]: [string, CatalogueEntry]) =>
  `| \`${entry.code ?? key}\` | ${entry.status} | ${entry.type} | ${entry.kind} | ${entry.meaning} |`;

describe('docs/errors.md', () => {
  it.each(Object.entries(catalogue))('has %s', (...entry) => {
    expect(documented).toContain(lineOf(entry));
  });

  it('has nothing else', () => {
    expect(documented).toHaveLength(Object.keys(catalogue).length);
  });
});
