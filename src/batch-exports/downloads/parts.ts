import { basename } from 'node:path';
import { v5 } from 'uuid';
import type { RunRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import { uuidOf } from '../../http/uuid.ts';

/** One file of a completed download. */
export interface Part {
  /** Of the run's id and the key: the same for ever, without a row of its own. */
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly bytes: number;
  readonly rows: number;
}

/** The files of a run, ordered by key (contract.md §9). */
export function partsOf(run: Pick<RunRow, 'id' | 'files'>): Part[] {
  return (run.files ?? [])
    .map((file) => {
      const key = String(file.key);
      const { bytes, rows } = file;
      return { id: v5(key, run.id), key, name: basename(key), bytes: Number(bytes), rows: Number(rows) };
    })
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** By id, by index from 0, or the first. Throws `invalid_input` for what is neither, `not_found` for what is not there. */
export function pickPart(parts: readonly Part[], wanted = '0'): Part {
  const uuid = uuidOf(wanted);
  if (uuid === null && !/^-?\d+$/.test(wanted)) {
    throw new SluiceError('invalid_input', { detail: 'A part is the id of a file or its number, from 0.' });
  }
  const part = uuid === null ? parts[Number(wanted)] : parts.find(({ id }) => id === uuid);
  if (part) return part;
  const count = parts.length === 1 ? '1 file' : `${parts.length} files`;
  throw new SluiceError('not_found', { detail: `There is no such part; the download has ${count}.` });
}
