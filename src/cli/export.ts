import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { v5 } from 'uuid';
import { SluiceError } from '../errors/error.ts';
import { filesystem } from '../export/destinations/filesystem.ts';
import { memoryLedger } from '../export/memory-ledger.ts';
import type { Outcome } from '../export/outcome.ts';
import { runExport } from '../export/run.ts';
import { runLog } from '../export/run-log.ts';
import type { RunSpec } from '../export/spec.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import { whyUnwritable } from '../work/data-directory.ts';
import { makeDirectory } from '../work/make-directory.ts';
import { arrivalBound, arrivedFrom } from './arrival-bound.ts';
import { earlierKeys } from './earlier-export.ts';
import { STOPPED } from './exit-status.ts';
import { followRun, type RunProgress } from './export-progress.ts';
import { allFilled, filled } from './filled.ts';
import { instant } from './instant.ts';
import { DATA_DIR_HELP } from './place-help.ts';
import { createProgress } from './progress.ts';
import { untilStopped } from './stop-signal.ts';
import { whatIsLeft } from './stopped-export.ts';

export interface ExportRoom {
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  /** How long rows may take to become visible after they were stamped, milliseconds. */
  readonly settleMs: number;
  /** Throws `not_found`, `data_dir_locked`. */
  refuseUnknownProject(id: number, force: boolean): Promise<void>;
  close(): Promise<void>;
}

interface Flags {
  readonly model: string;
  readonly from: number;
  readonly to: number;
  readonly toDir: string;
  readonly format: string;
  readonly compression?: string;
  readonly maxFileSizeMb?: number;
  readonly include?: string[];
  readonly exclude?: string[];
  readonly project: number;
  readonly dataDir?: string;
  readonly replace?: true;
  readonly force?: true;
}

/**
 * `sluice export`: one export of a range of event times into a directory. `open` reaches the warehouse: a running
 * server's, or one that it starts. The exit status is 130 when it was stopped (`stopped` resolves) before the files were complete.
 */
export function exportCommand(
  open: (flags: { readonly dataDir?: string }) => Promise<ExportRoom>,
  stopped: () => Promise<unknown> = untilStopped,
): Command {
  return new Command('export')
    .summary('export a range once, to a directory')
    .description(
      'Exports the events that happened in a range into a directory, counts them at the source, re-reads ' +
        'what it wrote and compares. Works beside a running server. The same command again replaces its files.',
    )
    .addOption(new Option('--model <name>', 'what to export').choices(['events']).default('events'))
    .requiredOption(
      '--from <time>',
      'first instant: 2026-03-01, 2026-03-01T06:00:00+01:00 or 2026-03-01T06:00[Europe/Berlin] (UTC without offset or zone)',
      instant,
    )
    .requiredOption('--to <time>', 'first instant after it', instant)
    .requiredOption('--to-dir <directory>', 'where the files go; made if absent', filled)
    .addOption(
      new Option('--format <name>', 'file format').choices(['Parquet', 'JSONLines']).default('Parquet'),
    )
    .option(
      '--compression <name>',
      'Parquet: zstd, lz4, snappy, gzip, brotli; JSONLines: gzip, brotli, zstd (default: none)',
    )
    .option('--max-file-size-mb <number>', 'start another file beyond this size (default: one file)', whole)
    .option('--include <event...>', 'only events of these names', allFilled)
    .option('--exclude <event...>', 'no events of these names', allFilled)
    .option('--project <id>', 'project to export', whole, 1)
    .option('--force', 'take the number of a project that is not known here')
    .option('--replace', 'remove what another export of the same range left in the directory')
    .option('--data-dir <dir>', DATA_DIR_HELP)
    .addHelpText(
      'after',
      '\nExample:\n  sluice export --from 2026-03-01 --to 2026-03-02 --to-dir out --format Parquet --compression zstd',
    )
    .action(async (flags: Flags, command: Command) => {
      if (flags.from >= flags.to) command.error('error: --from must be before --to');
      const room = await open(flags.dataDir === undefined ? {} : { dataDir: flags.dataDir });
      try {
        await room.refuseUnknownProject(flags.project, flags.force ?? false);
        const started = room.clock.now();
        const stop = new AbortController();
        void stopped().then(() => stop.abort(new SluiceError('run_cancelled')));
        const outcome = await exportOnce(flags, room, stop.signal);
        process.stdout.write(summary(outcome, flags, (room.clock.now() - started) / 1000));
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'run_cancelled') throw error;
        warn(error.message);
        process.exitCode = STOPPED;
      } finally {
        await room.close();
      }
    });
}

function makeTarget(root: string): void {
  try {
    makeDirectory(root);
  } catch (error) {
    const why = whyUnwritable(error);
    if (why === null) throw error;
    throw new SluiceError('bad_configuration', { detail: `${root} cannot be made: ${why}.` });
  }
}

async function exportOnce(
  flags: Flags,
  { warehouse, clock, settleMs }: ExportRoom,
  signal: AbortSignal,
): Promise<Outcome> {
  const root = resolve(flags.toDir);
  const config = {
    file_format: flags.format,
    compression: flags.compression ?? null,
    max_file_size_mb: flags.maxFileSizeMb ?? null,
  };
  const problem = filesystem.check(config);
  if (problem || !filesystem.open) throw new SluiceError('destination_config', { detail: problem ?? '' });
  makeTarget(root);
  const destination = { type: filesystem.type, config, integration: {} };
  const wanted = specOf(flags, root, destination);
  const files = filesystem.files(config);
  const earlier = files ? earlierKeys(root, wanted, files, flags.replace ?? false) : [];
  const target = await filesystem.open(destination, {
    clock,
    random: Math.random,
    filesRoot: root,
    checkHost: async () => {},
    onRetry: () => {},
  });
  const told = { begun: false, takenBack: false };
  let progress: RunProgress | undefined;
  try {
    const onWait = () =>
      warn('Waiting for events that arrived just now; a running server may still be storing others.');
    const bound = await arrivalBound(wanted, { warehouse, clock, settleMs, signal, onWait });
    const spec = { ...wanted, region: { ...wanted.region, arrivalTo: bound } };
    told.begun = true;
    const outcome = await runExport(spec, {
      warehouse,
      target,
      files,
      ledger: memoryLedger(earlier.map((key) => ({ key, listed: true, vouched: true as const }))),
      observer: {
        log: (level, message) => {
          if (message === runLog.cancelled()) told.takenBack = true;
          else if (level === 'WARNING' || level === 'ERROR') warn(message);
        },
        planned: (total) => {
          const bar = createProgress(process.stderr, { total, label: 'export' });
          progress = followRun({ warehouse, clock }, { id: spec.runId, total }, bar);
        },
        progress: ({ rows }) => progress?.finished(rows),
        step: () => {},
      },
      clock,
      signal,
      attempt: 1,
      spool: null,
      readBack: false,
    });
    const later = await arrivedFrom(wanted, bound, { warehouse, signal }).catch((error: unknown) => {
      // The files are complete.
      if (signal.aborted) return 0;
      throw error;
    });
    if (later > 0) {
      const since = new Date(bound).toISOString();
      warn(
        `Not in the files: ${later} events of this range that arrived after ${since}. The same command again has them.`,
      );
    }
    return outcome;
  } catch (error) {
    if (!signal.aborted) throw onceOnly(error);
    throw new SluiceError('run_cancelled', {
      detail: whatIsLeft({ ...told, replacing: earlier.length > 0 }),
      cause: error,
    });
  } finally {
    await progress?.end();
    await target.close();
  }
}

const warn = (line: string): void => void process.stderr.write(`${line}\n`);

/** A run of a server is tried again by itself; here that is left to whoever gave the command. */
function onceOnly(error: unknown): unknown {
  if (!(error instanceof SluiceError) || error.code !== 'verification_failed') return error;
  const detail = `${error.message} This was the only attempt: run the command again.`;
  return new SluiceError(error.code, { detail, cause: error });
}

/** Of no export that is stored. */
const NO_EXPORT = '00000000-0000-7000-8000-000000000000';

/**
 * The same for the same command, so that a repetition finds its leftovers, and another for any other: files in the making are
 * swept by it, and running queries are named by it.
 */
function runIdOf(flags: Flags, root: string): string {
  const { project, model, from, to, format, compression, maxFileSizeMb, include, exclude } = flags;
  const how = [format, compression ?? null, maxFileSizeMb ?? null];
  return v5(JSON.stringify([root, project, model, from, to, how, include ?? [], exclude ?? []]), NO_EXPORT);
}

function specOf(flags: Flags, root: string, destination: RunSpec['destination']): RunSpec {
  return {
    runId: runIdOf(flags, root),
    exportId: NO_EXPORT,
    teamId: flags.project,
    model: 'events',
    interval: { start: flags.from, end: flags.to },
    region: { arrivalFrom: null, arrivalTo: null, eventFrom: flags.from, eventTo: flags.to },
    excludes: [],
    includeEvents: flags.include ?? [],
    excludeEvents: flags.exclude ?? [],
    filters: [],
    destination,
  };
}

function summary({ files, rows, bytes, proof }: Outcome, flags: Flags, seconds: number): string {
  if (rows === 0) {
    const named = flags.include ? ' of these names' : flags.exclude ? ' of other names' : '';
    return `No events${named} in this range; no file was written.\n`;
  }
  const list = files
    .map(({ key, rows: count }) => `  ${resolve(flags.toDir, key)}  ${count} rows\n`)
    .join('');
  const speed = Math.round(rows / seconds).toLocaleString('en-US');
  return (
    `${list}${rows} rows, ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s (${speed} rows/s); ` +
    `${proof.source.rows} counted at the source, ${proof.reread.rows} read back.\n`
  );
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a whole number above 0.');
}
