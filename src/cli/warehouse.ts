import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { wholeNumber } from '../config.ts';
import { checkListening } from '../http/listening.ts';
import { startEmbeddedWarehouse } from '../warehouse/embedded/start.ts';
import { migrateWarehouse } from '../warehouse/migrate.ts';
import { filled } from './filled.ts';
import { untilStopped } from './stop-signal.ts';

interface WarehouseOptions {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly memory: number;
  /** Text from `--password`, false from `--no-password`, true when neither is given. */
  readonly password: string | boolean;
}

/** `sluice warehouse`: the embedded ClickHouse alone, until SIGTERM or SIGINT. */
export function warehouseCommand(): Command {
  return new Command('warehouse')
    .description('Run the embedded ClickHouse alone, for several Sluice processes or for tests.')
    .option('--port <number>', 'port to listen on; 0 = any free one', port, 8123)
    .option('--host <address>', 'address to listen on', filled, '127.0.0.1')
    .option('--data-dir <dir>', 'where the data lies', filled, process.env.SLUICE_DATA_DIR || '.sluice')
    .option('--memory <bytes>', 'memory the engine may use', bytes, 4_000_000_000)
    .option('--password <text>', 'password of the user "default"; without it, a random one', filled)
    .option('--no-password', 'let in whoever reaches the port')
    .addHelpText('after', EXAMPLE)
    .action(run);
}

const EXAMPLE = `
The URL is printed when the warehouse is ready. Give it to Sluice:

  $ sluice warehouse --port 8123 --data-dir ./warehouse
  http://default:…@127.0.0.1:8123
  $ CLICKHOUSE_URL=http://default:…@127.0.0.1:8123 sluice serve
`;

async function run(options: WarehouseOptions): Promise<void> {
  const stopped = untilStopped();
  await checkListening(options.host, options.port);
  const running = await startEmbeddedWarehouse({
    dataDir: resolve(options.dataDir),
    port: options.port,
    host: options.host,
    memory: options.memory,
    log: pino({ level: 'info' }, pino.destination(2)),
    ...(options.password === true ? {} : { password: options.password === false ? null : options.password }),
  });
  try {
    await migrateWarehouse(running.warehouse);
    process.stdout.write(`${running.url}\n`);
    await stopped;
  } finally {
    await running.close();
  }
}

function port(text: string): number {
  return integer(text, 0, 65_535);
}

function bytes(text: string): number {
  return integer(text, 1e8, 1e13);
}

function integer(text: string, min: number, max: number): number {
  const value = wholeNumber(text, min, max);
  if (value !== null) return value;
  throw new InvalidArgumentError(`Must be a whole number from ${min} to ${max}.`);
}
