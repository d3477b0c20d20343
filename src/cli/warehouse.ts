import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Environment, loadConfig, wholeNumber } from '../config.ts';
import { checkListening } from '../http/listening.ts';
import { startEmbeddedWarehouse } from '../warehouse/embedded/start.ts';
import { migrateWarehouse } from '../warehouse/migrate.ts';
import { createLogger } from '../work/log.ts';
import { filled } from './filled.ts';
import { untilStopped } from './stop-signal.ts';

export interface WarehouseOptions {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly memory?: number;
  /** Text from `--password`, false from `--no-password`. */
  readonly password?: string | false;
}

/** `sluice warehouse`: the embedded ClickHouse alone, until SIGTERM or SIGINT. */
export function warehouseCommand(): Command {
  return new Command('warehouse')
    .description('Run the embedded ClickHouse alone, for several Sluice processes or for tests.')
    .option('--port <number>', 'port to listen on; 0 = any free one', port, 8123)
    .option('--host <address>', 'address to listen on', filled, '127.0.0.1')
    .option('--data-dir <dir>', 'where the data lies', filled, process.env.SLUICE_DATA_DIR || '.sluice')
    .option(
      '--memory <bytes>',
      'memory the engine may use (default: SLUICE_WAREHOUSE_MEMORY, or 4000000000)',
      bytes,
    )
    .option(
      '--password <text>',
      'password of the user "default"; every user of this machine sees it in the list of processes, so better set ' +
        'SLUICE_WAREHOUSE_PASSWORD. Without either, another one at each start',
      filled,
    )
    .option('--no-password', 'let in whoever reaches the port')
    .addHelpText('after', EXAMPLE)
    .action(run);
}

const EXAMPLE = `
The URL is printed when the warehouse is ready. Give it to Sluice:

  $ sluice warehouse --port 8123 --data-dir ./warehouse
  http://default:…@127.0.0.1:8123
  $ CLICKHOUSE_URL=http://default:…@127.0.0.1:8123 sluice serve

As a service, with a password that stays and is in no list of processes:

  $ SLUICE_WAREHOUSE_PASSWORD=$(cat /run/secrets/warehouse) sluice warehouse --data-dir ./warehouse

That password is not printed.
`;

async function run(options: WarehouseOptions): Promise<void> {
  const stopped = untilStopped();
  const { memory, password, secret, logLevel } = warehouseSettings(options, process.env, process.cwd());
  await checkListening(options.host, options.port);
  const running = await startEmbeddedWarehouse({
    dataDir: resolve(options.dataDir),
    port: options.port,
    host: options.host,
    memory,
    log: createLogger(logLevel),
    ...(password === undefined ? {} : { password }),
  });
  try {
    await migrateWarehouse(running.warehouse);
    process.stdout.write(`${secret ? withoutPassword(running.url) : running.url}\n`);
    await stopped;
  } finally {
    await running.close();
  }
}

/** What options and environment say together; password null = whoever reaches the port is let in. Throws `bad_configuration`. */
export function warehouseSettings(
  { dataDir, memory, password }: Pick<WarehouseOptions, 'dataDir' | 'memory' | 'password'>,
  environment: Environment,
  cwd: string,
) {
  const config = loadConfig({ dataDir }, environment, cwd);
  return {
    memory: memory ?? config.warehouseMemory,
    password: password === false ? null : (password ?? config.warehousePassword),
    /** Whoever set it knows it, and what a service prints is kept. */
    secret: password === undefined && config.warehousePassword !== undefined,
    logLevel: config.logLevel,
  };
}

function withoutPassword(url: string): string {
  return url.replace(/:[^:@/]*@/, ':…@');
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
