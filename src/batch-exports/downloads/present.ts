import { Type } from 'typebox';
import type { RunRow } from '../../database/tables.ts';
import { formatMoment, formatTimestamp } from '../../http/timestamps.ts';
import { nullable, RunStatusSchema } from '../schema.ts';
import { expiresAt } from './expiry.ts';
import { partsOf } from './parts.ts';

const id = () => Type.String({ format: 'uuid' });
const time = () => Type.String({ format: 'date-time' });
const count = () => nullable(Type.Integer());

/** Nothing else: clients compare it whole (contract.md §9). */
export const ListedDownloadSchema = Type.Object(
  { id: id(), status: RunStatusSchema },
  { title: 'ListedFileDownload' },
);

export const DownloadSchema = Type.Object(
  {
    status: RunStatusSchema,
    files: Type.Optional(Type.Array(id(), { description: 'Completed: the ids of the files.' })),
    records_completed: Type.Optional(Type.Integer()),
    bytes_exported: Type.Optional(count()),
    expires_at: Type.Optional(time()),
    parts: Type.Optional(
      Type.Array(
        Type.Object({ id: id(), name: Type.String(), bytes: Type.Integer(), records: Type.Integer() }),
        { description: 'Completed: the same files with what they hold.' },
      ),
    ),
    error: Type.Optional(Type.String({ description: 'Failed: what happened and what to do.' })),
    progress: Type.Optional(
      Type.Object(
        {
          records_completed: count(),
          records_total_count: count(),
          bytes_exported: count(),
          attempt: Type.Integer(),
          latest_error: nullable(Type.String()),
          next_attempt_at: nullable(time()),
        },
        { description: 'While it runs.' },
      ),
    ),
  },
  { title: 'FileDownload' },
);

/** By status, contract.md §9; `progress`, `parts`, `bytes_exported` and `expires_at` are ours. */
export function presentDownload(run: RunRow, keepSeconds: number) {
  const { status } = run;
  switch (status) {
    case 'Starting':
    case 'Running':
      return { status, progress: progressOf(run) };
    case 'Cancelled':
      return { status };
    case 'Completed': {
      const parts = partsOf(run);
      return {
        status,
        files: parts.map((part) => part.id),
        records_completed: run.records_completed ?? 0,
        bytes_exported: run.bytes_exported,
        expires_at: formatTimestamp(new Date(expiresAt(run, keepSeconds))),
        parts: parts.map((part) => ({
          id: part.id,
          name: part.name,
          bytes: part.bytes,
          records: part.rows,
        })),
      };
    }
    default:
      return { status, error: run.latest_error ?? 'The download failed.' };
  }
}

const progressOf = (run: RunRow) => ({
  records_completed: run.records_completed,
  records_total_count: run.records_total_count,
  bytes_exported: run.bytes_exported,
  attempt: run.attempt,
  latest_error: run.latest_error,
  next_attempt_at: formatMoment(run.next_attempt_at),
});
