import { Command, InvalidArgumentError } from 'commander';
import { table } from '../demo/reader.ts';
import { type TourResult, takeTour } from '../demo/tour.ts';
import { type Ready, startSluice } from '../main.ts';
import { systemClock } from '../work/clock.ts';
import { createLogger } from '../work/log.ts';
import { freshDirectory } from './demo-directory.ts';
import { demoSettings } from './demo-settings.ts';
import { createProgress } from './progress.ts';
import { untilStopped } from './stop-signal.ts';

interface DemoCommandOptions {
  readonly port: string;
  readonly dataDir: string;
  readonly events: number;
  readonly seed: number;
  readonly exit?: true;
}

/** With `--exit`, nobody is there to see that nothing moves any more. */
const PATIENCE_MS = 120_000;

/** `sluice demo`: the whole way of an event, on this machine, in two minutes. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Show the whole way: capture a day of events, export it by the hour, read it back.')
    .option('--port <number>', 'port to listen on; 0 picks a free one', '8010')
    .option('--data-dir <directory>', 'made anew by each demo', '.sluice-demo')
    .option('--events <number>', 'how many events the day has', count, 100_000)
    .option('--seed <number>', 'another seed, another day', count, 1)
    .option(
      '--exit',
      'stop when done, with status 1 when anything failed, any count differs or nothing moves for two minutes',
    )
    .addHelpText(
      'after',
      `
Examples:
  sluice demo
  sluice demo --events 1000000 --port 0 --exit`,
    )
    .action(async (options: DemoCommandOptions) => {
      const config = demoSettings(options, process.env, process.cwd());
      freshDirectory(config.dataDir);
      const sluice = await startSluice(config, { log: createLogger(config.logLevel) });
      try {
        const ready = withKey(sluice.ready);
        process.stdout.write(`\n  Sluice runs at ${ready.url}\n\n`);
        const result = await takeTour({
          ready,
          filesRoot: config.filesRoot,
          count: options.events,
          seed: options.seed,
          clock: systemClock,
          progress: (label, total) => createProgress(process.stdout, { label, total }),
          onTrouble: (error) => process.stdout.write(`\n  A run fails and is tried again: ${error}\n`),
          patienceMs: options.exit ? PATIENCE_MS : null,
        });
        process.stdout.write(summary(result, ready));
        if (result.problems.length > 0) process.exitCode = 1;
        if (!options.exit) {
          process.stdout.write('  Still serving. Ctrl-C stops it.\n\n');
          await untilStopped();
        }
      } finally {
        await sluice.stop(5_000);
      }
      process.exit();
    });
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a whole number above 0.');
}

function withKey(ready: Ready): Ready & { personal_api_key: string } {
  const { personal_api_key: key } = ready;
  if (key === undefined) throw new Error('The first start of a new directory shows a personal API key.');
  return { ...ready, personal_api_key: key };
}

function summary(result: TourResult, ready: Ready): string {
  const bytes = result.runs.reduce((sum, run) => sum + (run.bytes_exported ?? 0), 0);
  const rate = (seconds: number) => Math.round(result.sent / seconds).toLocaleString('en-US');
  const number = (value: number) => value.toLocaleString('en-US');
  const verdict =
    result.problems.length === 0
      ? `  Every count agrees: ${number(result.sent)} sent, exported and read back, each once.`
      : result.problems.map((problem) => `  WRONG: ${problem}`).join('\n');
  return `
  captured   ${number(result.sent)} events in ${result.captureSeconds.toFixed(1)} s (${rate(result.captureSeconds)}/s), through posthog-node
  exported   ${number(result.read.rows)} rows, ${(bytes / 1e6).toFixed(1)} MB in ${result.exportSeconds.toFixed(1)} s, ${result.runs.length} runs
  files      ${result.read.files} Parquet files in ${result.folder}

  The first rows, as DuckDB reads them:

${table(result.read.sample, 44)}

${verdict}

  URL                ${ready.url}
  API description    ${ready.url}/api/docs
  Project            ${ready.project_id}
  Project API key    ${ready.project_api_key}
  Personal API key   ${ready.personal_api_key}

`;
}
