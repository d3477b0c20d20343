import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** What each room may know is said to people in ARCHITECTURE.md and to `npm run boundaries` in dependency-cruiser's rules. */
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Rows of the table of rooms: folder → what its last column names in backticks; null = everything. */
function rowsOf(text: string): Map<string, string[] | null> {
  const rows = text.matchAll(/^\| `src\/([\w-]+)\/` \| .* \| ([^|]*) \|$/gm);
  return new Map(
    [...rows].map(([, room = '', may = '']) => [
      room,
      may === 'everything' ? null : [...may.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name).toSorted(),
    ]),
  );
}

interface Rule {
  readonly name: string;
  readonly from: { readonly path?: string };
  readonly to: { readonly path?: string; readonly pathNot?: string };
}

/** The same of the rules that are made of rows. */
function rulesOf(text: string): Map<string, string[]> {
  const { forbidden } = JSON.parse(text) as { forbidden: Rule[] };
  return new Map(
    forbidden.flatMap(({ name, from, to }) => {
      const [, room] = /^what-([\w-]+)-may-know$/.exec(name) ?? [];
      if (room === undefined) return [];
      expect([from.path, to.path]).toEqual([`^src/${room}/`, '^src/']);
      const known = /^\^src\/\(([\w|-]+)\)\/$/.exec(to.pathNot ?? '')?.[1]?.split('|') ?? [];
      return [[room, known.filter((each) => each !== room && each !== 'errors').toSorted()]];
    }),
  );
}

const rows = rowsOf(read('ARCHITECTURE.md'));

it('has a row for each folder of src, and no other', () => {
  const folders = readdirSync(new URL('../../src/', import.meta.url), { withFileTypes: true });
  const rooms = folders.filter((each) => each.isDirectory()).map(({ name }) => name);
  expect([...rows.keys()].toSorted()).toEqual(rooms.toSorted());
});

it('is what dependency-cruiser enforces', () => {
  const limited = [...rows].filter(([, may]) => may !== null);
  expect(rulesOf(read('.dependency-cruiser.json'))).toEqual(new Map(limited));
});
