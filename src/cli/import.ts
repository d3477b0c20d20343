import { basename } from 'node:path';
import { Command } from 'commander';
import { type ImportResult, importFile } from '../capture/import/import.ts';
import { readableSize } from '../capture/import/readable.ts';
import { createStamps, newestStamp } from '../capture/stamps.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import { STOPPED } from './exit-status.ts';
import { DATA_DIR_HELP } from './place-help.ts';
import { createProgress } from './progress.ts';
import { type Readers, whereItGoes } from './readers.ts';
import { untilStopped } from './stop-signal.ts';

export interface ImportRoom {
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  readers(project: number): Promise<Readers>;
  /** Throws `not_found`, `data_dir_locked`. */
  refuseUnknownProject(id: number, force: boolean): Promise<void>;
  close(): Promise<void>;
}

interface Flags {
  readonly project: string;
  readonly dataDir?: string;
  readonly dryRun?: true;
  readonly skipBad?: true;
  readonly force?: true;
}

/**
 * `sluice import`. `open` reaches the warehouse: a running server's, or one that it starts.
 * The exit status is 1 when a file was left out, and 130 when it was stopped (`stopped` resolves) before the end.
 */
export function importCommand(
  open: (flags: { readonly dataDir?: string }) => Promise<ImportRoom>,
  stopped: () => Promise<unknown> = untilStopped,
): Command {
  return new Command('import')
    .summary('read exported events back in')
    .description(
      'Reads exported events (JSON Lines, plain or .gz, .zst, .br, or Parquet, as Sluice or PostHog write ' +
        'them) into a project. Works beside a running server. Events that are already there are not stored ' +
        'again, so an import may be repeated. After the clock was set back, stop a server that has the embedded ' +
        'database first: only without it is it seen which intervals have been exported. What is imported arrives now: ' +
        'active exports and apps that are on send all of it out. For a new installation import first, then make the ' +
        'exports, export the past with a backfill, and turn the apps on.',
    )
    .argument('<file...>', 'files to read')
    .option('--project <id>', 'project to store the events in', '1')
    .option('--force', 'take the number of a project that is not known here')
    .option('--data-dir <dir>', DATA_DIR_HELP)
    .option('--dry-run', 'read and check, store nothing')
    .option('--skip-bad', 'store the good rows of a file that has bad ones (default: nothing of it)')
    .addHelpText(
      'after',
      '\nExample:\n  sluice import --project 1 export/2026-03-01.jsonl.gz export/*.parquet',
    )
    .action(async (files: string[], flags: Flags, command: Command) => {
      if (!/^[1-9]\d{0,8}$/.test(flags.project))
        command.error(`error: --project must be a number, not "${flags.project}"`);
      const sizes = await Promise.all(files.map(readableSize));
      const stop = new AbortController();
      void stopped().then(() => stop.abort());
      const room = await open(flags.dataDir === undefined ? {} : { dataDir: flags.dataDir });
      try {
        await room.refuseUnknownProject(Number(flags.project), flags.force ?? false);
        const status = await importFiles(files, sizes, flags, room, stop.signal);
        if (status !== 0) process.exitCode = status;
      } finally {
        await room.close();
      }
    });
}

/** Answers the exit status. */
async function importFiles(
  files: string[],
  sizes: number[],
  flags: Flags,
  room: ImportRoom,
  signal: AbortSignal,
): Promise<number> {
  const { warehouse, clock } = room;
  const stamps = createStamps(clock, await newestStamp(warehouse, clock));
  const readers = await room.readers(Number(flags.project));
  stamps.passed(readers.readSoFar);
  const warning = flags.dryRun ? null : whereItGoes(readers);
  if (warning !== null) process.stderr.write(`${warning}\n`);
  let failed = 0;
  for (const [index, file] of files.entries()) {
    const label = basename(file);
    if (signal.aborted) return tellStopped(label, 0, flags);
    let progress = createProgress(process.stderr, { total: sizes[index] ?? 0, label });
    progress.update(0);
    let storing = false;
    const result = await importFile(
      file,
      {
        teamId: Number(flags.project),
        dryRun: flags.dryRun ?? false,
        skipBad: flags.skipBad ?? false,
        onProgress: (bytesRead, rows) => progress.update(bytesRead, `${number(rows)} rows`),
        onStored: (rows, of, stored) => {
          if (!storing) {
            progress.end();
            progress = createProgress(process.stderr, { total: of, label: `${label}, storing` });
          }
          storing = true;
          progress.update(rows, `${counted(stored, 'event')} stored`);
        },
        signal,
      },
      { warehouse, clock, stamps },
    );
    progress.end();
    if (result.stopped) return tellStopped(label, result.stored, flags);
    for (const line of describe(label, result, flags)) process.stdout.write(`${line}\n`);
    if (result.bad > 0 && !flags.skipBad) failed++;
  }
  return failed > 0 ? 1 : 0;
}

function tellStopped(label: string, stored: number, { dryRun }: Flags): number {
  const there = `${counted(stored, 'event')} of ${label} ${stored === 1 ? 'is' : 'are'} stored`;
  process.stderr.write(
    dryRun ? 'Stopped.\n' : `Stopped; ${there}, the same command again stores the rest.\n`,
  );
  return STOPPED;
}

function describe(label: string, result: ImportResult, flags: Flags): string[] {
  const bad = result.bad > 0 ? `, ${counted(result.bad, 'bad row')}` : '';
  const examples = result.examples.map(({ line, reason }) => `  line ${line}: ${reason}`);
  if (result.bad > examples.length) examples.push(`  and ${number(result.bad - examples.length)} more`);
  return [`${label}: ${outcome(result, flags)}${bad}`, ...examples];
}

function outcome(result: ImportResult, flags: Flags): string {
  if (result.bad > 0 && !flags.skipBad) {
    return flags.dryRun
      ? `${counted(result.good, 'event')} could be stored`
      : 'nothing stored (--skip-bad stores the good rows)';
  }
  if (flags.dryRun) return `${counted(result.good, 'event')} could be stored`;
  const known = result.good - result.stored;
  return `${counted(result.stored, 'event')} stored${known > 0 ? `, ${number(known)} already there` : ''}`;
}

function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function number(value: number): string {
  return value.toLocaleString('en');
}
