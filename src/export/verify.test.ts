import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import type { FileTarget, Published, Staged } from './destinations/destination.ts';
import { UuidTally } from './fingerprint.ts';
import { formatOf } from './formats/index.ts';
import type { RunContext } from './ports.ts';
import type { Reread } from './reread/count.ts';
import { verify } from './verify.ts';

/** What counts as a proof, of a file of lines on a store that is asked for it. */
const WRITTEN = uuids(1, 2);
const KEY = 'events/a.jsonl';

function uuids(...numbers: readonly number[]): string[] {
  return numbers.map((n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
}

const linesOf = (list: readonly string[]) =>
  Buffer.from(list.map((uuid) => `{"uuid":"${uuid}","event":"e","team_id":1}\n`).join(''));

function tallyOf(list: readonly string[]) {
  const tally = new UuidTally();
  for (const uuid of list) tally.add(Buffer.from(uuid), 0);
  return tally.tally;
}

/** Verifies a run that wrote one file where `stored` is found now (null = nothing), and tells what it was asked for. */
async function verified(
  stored: Buffer | null,
  { known = null, ...is }: Partial<Published> & { readonly known?: Reread | null } = {},
) {
  let opened = 0;
  const open: FileTarget['open'] = async () => {
    opened++;
    if (!stored) throw new Error('It is gone.');
    return {
      bytes: stored.length,
      path: null,
      read: async (start, end) => stored.subarray(start, end),
      stream: async () => Readable.from([stored]),
    };
  };
  const context = {
    format: formatOf({ format: 'JSONLines', compression: null }),
    signal: new AbortController().signal,
    target: { open },
    warehouse: { localFiles: false },
    readBack: false,
  } as unknown as RunContext;
  const bytes = linesOf(WRITTEN).length;
  const staged: Staged = { key: KEY, bytes, token: {} };
  const entry = { slice: { part: 0, of: 1 }, rows: WRITTEN.length, bytes, staged };
  const published: Published = { key: KEY, bytes, tag: null, ...is };
  const delivered = [{ entry, published, reread: known }];
  const { proof } = await verify(context, tallyOf(WRITTEN), delivered);
  return { reread: proof.reread, opened };
}

it('is done when the destination holds what the source has, in whatever order', async () => {
  const { reread } = await verified(linesOf(WRITTEN.toReversed()));
  expect(reread).toEqual(tallyOf(WRITTEN));
});

it.each([
  ['as many rows, but others', uuids(1, 3), 'but not the same ones'],
  ['fewer rows', uuids(1), 'bytes where'],
])('fails where a file has %s', async (_, there, words) => {
  await expect(verified(linesOf(there))).rejects.toMatchObject({
    code: 'verification_failed',
    message: expect.stringContaining(words),
  });
});

it('fails where a file of the same size has fewer rows', async () => {
  const bytes = linesOf(WRITTEN);
  const [first] = linesOf(uuids(1)).toString().split('\n');
  const there = Buffer.from(`${first}${' '.repeat(bytes.length - (first?.length ?? 0) - 1)}\n`);
  await expect(verified(there)).rejects.toMatchObject({
    code: 'verification_failed',
    message: expect.stringContaining('holds 1 rows where 2 were written'),
  });
});

it('asks for a file that was read before it was published, unless its store has confirmed it', async () => {
  const known = { tally: tallyOf(WRITTEN), cleaned: 0 };
  expect(await verified(null, { known, confirmed: true })).toEqual({ reread: known.tally, opened: 0 });
  expect(await verified(linesOf(WRITTEN), { known })).toEqual({ reread: known.tally, opened: 1 });
  await expect(verified(null, { known })).rejects.toThrow('It is gone.');
  await expect(verified(linesOf(uuids(1)), { known })).rejects.toMatchObject({ code: 'verification_failed' });
});
