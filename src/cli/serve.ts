import { Command } from 'commander';
import { type Config, loadConfig, type ServeOptions } from '../config.ts';
import { openEngines } from '../engines.ts';
import { systemClock } from '../work/clock.ts';
import { createLogger, type Log } from '../work/log.ts';
import { crashAt } from './crash-at.ts';
import { setClock } from './set-clock.ts';
import { untilStopped } from './stop-signal.ts';
import { unknownSettings } from './unknown-settings.ts';
import { welcome } from './welcome.ts';

/** Finishing slices after SIGTERM may take this long; what is not done then resumes from the ledger. */
const GRACE_MS = 8_000;

/** `sluice serve`: the server, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('Start the server. With no settings at all it brings its own engines.')
    .option('--port <number>', 'port to listen on; 0 picks a free one (default: 8010)')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option(
      '--data-dir <directory>',
      'where embedded engines and files live (default: $SLUICE_DATA_DIR or ./.sluice)',
    )
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal, silent (default: info)')
    .option(
      '--standby',
      'answer and capture, but begin no run and no delivery: to look at a restored copy first',
    )
    .option('--ready-json', 'print one JSON line with URL and keys when ready; logs go to stderr')
    .addHelpText(
      'after',
      `
Environment:
  CLICKHOUSE_URL         use this ClickHouse instead of the embedded one, e.g. http://user:pw@host:8123/db
  DATABASE_URL           use this Postgres instead of the embedded one
  SLUICE_SECRET_KEY      seals stored credentials; default: a file in the data directory
  SLUICE_FILES_ROOT      Filesystem destinations write below this (default: <data-dir>/exports)
  SLUICE_DOWNLOADS_ROOT  files of downloads lie below this (default: <data-dir>/downloads)
  SLUICE_ALLOWED_HOSTS   private hosts that exports may reach: names, *.suffix, addresses, CIDR blocks, *
  SLUICE_CONCURRENCY     runs at once in this process (default: 2)

All settings: docs/guide.md, "All settings".

Examples:
  sluice serve
  sluice serve --port 0 --data-dir /var/lib/sluice --ready-json
`,
    )
    .action(async (options: ServeOptions) => {
      const config = loadConfig(options, process.env, process.cwd());
      const log = createLogger(config.logLevel);
      for (const sentence of unknownSettings(process.env)) log.warn(sentence);
      const onStep = crashAt(process.env, () => process.kill(process.pid, 'SIGKILL'));
      const clock = setClock(process.env, systemClock, () =>
        log.warn('SLUICE_TEST_NOW is ignored without SLUICE_TEST=1'),
      );
      // From the first moment on: a signal during the start stops what has been started.
      const stopped = untilStopped();
      const engines = startEngines(config, log);
      const { startSluice } = await import('../main.ts');
      const sluice = await startSluice(config, {
        log,
        engines,
        ...(clock && { clock }),
        ...(onStep && { onStep }),
      });
      if (config.readyJson) process.stdout.write(`${JSON.stringify(sluice.ready)}\n`);
      else process.stdout.write(welcome(sluice.ready, config.bootstrapPersonalApiKey !== undefined));
      const signal = await stopped;
      log.info({ signal }, 'stopping');
      await sluice.stop(GRACE_MS);
      process.exit(0);
    });
}

/** The engines start while the server's code is loaded: together they take half as long as one after the other. */
function startEngines(config: Config, log: Log): typeof openEngines {
  const started = new AsyncDisposableStack();
  const opening = openEngines(config, log, started);
  opening.catch(() => {}); // told to whoever asks
  return (_config, _log, stack) => {
    stack.use(started);
    return opening;
  };
}
