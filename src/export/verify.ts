import { SluiceError } from '../errors/error.ts';
import type { Published } from './destinations/destination.ts';
import { addTallies, NO_ROWS, sameTally } from './fingerprint.ts';
import type { LedgerEntry, Proof } from './outcome.ts';
import type { RunContext } from './ports.ts';
import { isPlainPath } from './queries.ts';
import type { Reread } from './reread/count.ts';
import { rereadByEngine } from './reread/engine.ts';
import { rereadLines } from './reread/lines.ts';
import { openParquetReader, type ParquetReader } from './reread/parquet.ts';
import type { Tally } from './spec.ts';

export interface Delivered {
  readonly entry: LedgerEntry;
  readonly published: Published;
  /** What was found in the file before it was published, when it lay on this machine. */
  readonly reread: Reread | null;
}

/**
 * Compares three counts: source, written, re-read. Every published file is read again where readers of the
 * destination would; one that the engine read while it lay on this machine only has to have arrived: the target
 * renamed that very file, or the store confirmed the checksum of every part of it and, by the ETag made of them, that the
 * object is these: whoever takes it away the moment it appears does not make the run fail. Throws `verification_failed`
 * naming the first file that differs.
 */
export async function verify(
  context: RunContext,
  source: Tally,
  delivered: readonly Delivered[],
): Promise<{ proof: Proof; cleaned: number }> {
  await using parquet = openParquetReader();
  const rereads: Reread[] = [];
  for (const { entry, published, reread: known } of delivered) {
    const reread = await rereadFile(context, published, known, parquet);
    if (reread.tally.rows !== entry.rows) {
      throw failed(`${published.key} holds ${reread.tally.rows} rows where ${entry.rows} were written`);
    }
    rereads.push(reread);
  }
  const proof: Proof = {
    source,
    written: { rows: delivered.reduce((sum, { entry }) => sum + entry.rows, 0), fingerprint: null },
    reread: addTallies([NO_ROWS, ...rereads.map(({ tally }) => tally)]),
  };
  if (!sameTally(proof.source, proof.written) || !sameTally(proof.source, proof.reread)) {
    throw failed(
      `the source has ${source.rows} rows, ${proof.written.rows} were written and ${proof.reread.rows} can be read back` +
        (source.rows === proof.reread.rows ? ', but not the same ones' : ''),
    );
  }
  return { proof, cleaned: rereads.reduce((sum, { cleaned }) => sum + cleaned, 0) };
}

/** An unreadable file is a failed verification; a destination that does not answer is not. */
async function rereadFile(
  context: RunContext,
  published: Published,
  known: Reread | null,
  parquet: ParquetReader,
): Promise<Reread> {
  const { format, signal, target, warehouse } = context;
  if (known && published.confirmed && !context.readBack) return known;
  const file = await target.open(published);
  if (file.bytes !== published.bytes) {
    throw failed(`${published.key} has ${file.bytes} bytes where ${published.bytes} were written`);
  }
  if (known && !context.readBack) return known;
  try {
    if (warehouse.localFiles && file.path !== null && isPlainPath(file.path)) {
      return await rereadByEngine(warehouse, format, file.path, signal);
    }
    if (format.engineFormat === 'Parquet') return await parquet.reread(file, signal);
    return await rereadLines(file, format, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SluiceError && error.code !== 'warehouse_query') throw error;
    throw failed(`${published.key} cannot be read back`, error);
  }
}

function failed(what: string, cause?: unknown): SluiceError {
  const detail = `Verification failed: ${what}.`;
  return new SluiceError('verification_failed', cause === undefined ? { detail } : { detail, cause });
}
