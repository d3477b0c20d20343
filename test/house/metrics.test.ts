import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const textOf = (path: string) => readFileSync(new URL(path, root), 'utf8');
const names = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name]) => name ?? ''))].toSorted();

/** Of the files that make metrics, all names between quotes. */
const made = names(
  globSync('src/**/*.ts', { cwd: root, exclude: ['**/*.test.ts'] })
    .map(textOf)
    .filter((text) => text.includes("from 'prom-client'"))
    .join('\n'),
  /'(sluice_\w+)'/g,
);

const rows = (textOf('docs/guide.md').split('\n## Monitoring\n')[1] ?? '')
  .split('\n## ')[0]
  ?.split('\n')
  .filter((line) => line.startsWith('| `'));

it('the guide has a row for every metric of ours, and no other', () => {
  expect(made).toContain('sluice_runs_active');
  const told = rows?.map((row) => row.split(' | ')[0]).join('\n') ?? '';
  expect(names(told, /\b(sluice_\w+)/g)).toEqual(made);
});

it('the alerts of the guide are about metrics that there are', () => {
  expect(names(rows?.join('\n') ?? '', /\b(sluice_\w+)/g)).toEqual(made);
});
