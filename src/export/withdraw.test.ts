import { expect, it } from 'vitest';
import { SluiceError } from '../errors/error.ts';
import type { FileTarget } from './destinations/destination.ts';
import { fileNames } from './file-names.ts';
import type { Ledger, LedgerEntry } from './outcome.ts';
import type { RunContext } from './ports.ts';
import { resume } from './resume.ts';
import type { FileOptions } from './spec.ts';
import { withdraw } from './withdraw.ts';

/** In which order an attempt takes back what a newer one may have by the next moment. */
const FILES: FileOptions = {
  format: 'Parquet',
  compression: null,
  prefix: 'x',
  maxFileSizeMb: null,
  legacyParquetExtension: false,
};
const SPEC = {
  runId: 'run',
  interval: { start: 0, end: 3_600_000 },
  model: 'events' as const,
  destination: { type: 'Filesystem', config: {}, integration: {} },
};
const NAMES = fileNames(SPEC, FILES);
const KEY = NAMES.key(null);
const ENTRY: LedgerEntry = {
  slice: { part: 0, of: 1 },
  rows: 3,
  bytes: 10,
  staged: { key: KEY, bytes: 10, token: {} },
};

/** A published file and its manifest, and what is done with them. */
function published(
  change: { readonly ledger?: Partial<Ledger>; readonly target?: Partial<FileTarget> } = {},
) {
  const did: string[] = [];
  const ledger: Partial<Ledger> = {
    entries: async () => [{ ...ENTRY, withdrawn: true }],
    previousKeys: async () => [],
    withdraw: async () => {
      did.push('mark');
      return [ENTRY];
    },
    forget: async () => void did.push('forget'),
    assertOwned: async () => void did.push('ask'),
    ...change.ledger,
  };
  const target: Partial<FileTarget> = {
    fileOf: async (key) => key,
    isStaged: async () => true,
    discard: async ({ key }) => void did.push(`discard ${key}`),
    get: async () => Buffer.from(JSON.stringify({ run_id: SPEC.runId })),
    remove: async (key) => void did.push(`remove ${key}`),
    sweep: async () => void did.push('sweep'),
    ...change.target,
  };
  const context = {
    attempt: 2,
    files: FILES,
    ledger,
    names: NAMES,
    observer: { log: () => {} },
    signal: new AbortController().signal,
    spec: SPEC,
    target,
  };
  return { context: context as unknown as RunContext, did };
}

const TAKEN_BACK = [
  'mark',
  `discard ${KEY}`,
  'mark',
  `remove ${NAMES.manifest}`,
  `remove ${KEY}`,
  'mark',
  'sweep',
];

it('marks the entries before it touches a file, before it removes the manifest and before it sweeps', async () => {
  const { context, did } = published();
  await withdraw(SPEC, context);
  expect(did).toEqual(TAKEN_BACK);
});

it('leaves a file alone that a newer attempt has put under its key meanwhile', async () => {
  let looks = 0;
  const { context, did } = published({ target: { isStaged: async () => looks++ === 0 } });
  await withdraw(SPEC, context);
  expect(did).not.toContain(`remove ${KEY}`);
});

it('a newer attempt that finds all entries marked takes them back to the end and starts afresh', async () => {
  const { context, did } = published();
  expect(await resume(context)).toEqual({ done: [], lost: [] });
  expect(did).toEqual([...TAKEN_BACK, 'forget', 'ask', 'sweep']);
});

it('one that has lost the run by then sweeps nothing of a still newer one', async () => {
  const entries = async () => [ENTRY];
  const assertOwned = () => Promise.reject(new SluiceError('run_superseded'));
  const { context, did } = published({ ledger: { entries, assertOwned } });
  await expect(resume(context)).rejects.toMatchObject({ code: 'run_superseded' });
  expect(did).toEqual([]);
});
