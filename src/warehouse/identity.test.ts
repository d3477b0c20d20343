import { expect, it } from 'vitest';
import { type EventsTable, eventsTable, isSameTable } from './identity.ts';

const table = (id: string | null, engine = 'ReplacingMergeTree', directory = ''): Promise<EventsTable> => {
  const rows = async () => [
    { database: 'd', id: id ?? '00000000-0000-0000-0000-000000000000', directory, engine },
  ];
  return eventsTable({ localFiles: directory !== '', rows: rows as never });
};

it.each([
  ['the same table', table('a'), table('a'), true],
  ['another one', table('a'), table('b'), false],
  ['the embedded one beside a server', table(null, 'ReplacingMergeTree', 'a'), table('b'), false],
  [
    'two embedded ones',
    table(null, 'ReplacingMergeTree', 'a'),
    table(null, 'ReplacingMergeTree', 'b'),
    false,
  ],
  ['replicas', table('a', 'ReplicatedReplacingMergeTree'), table('b', 'ReplicatedReplacingMergeTree'), true],
  ['tables of a cloud', table('a', 'SharedReplacingMergeTree'), table('b', 'SharedMergeTree'), true],
  ['nodes of a distributed table', table('a', 'Distributed'), table('b', 'Distributed'), true],
  ['a table of its own beside a distributed one', table('a', 'Distributed'), table('b'), false],
  ['tables without ids', table(null), table(null), true],
  ['a table without an id beside one that has', table(null), table('a'), false],
])('%s', async (_, one, other, same) => {
  expect(isSameTable(await one, await other)).toBe(same);
});
