import { type Config, type Environment, loadConfig } from '../config.ts';

/**
 * What a demo takes from the shell. Everything else is its own: a shell that is set up for the real Sluice must not lead it to
 * that one's database, warehouse, files and keys, nor turn off what it shows.
 */
const TAKEN = [
  'SLUICE_HOST',
  'SLUICE_CONCURRENCY',
  'SLUICE_WAREHOUSE_MEMORY',
  'SLUICE_WAREHOUSE_TIMEOUT_SECONDS',
  'SLUICE_DATABASE_TIMEOUT_SECONDS',
  'SLUICE_DESTINATION_TIMEOUT_SECONDS',
];

/** The configuration of `sluice demo`: embedded engines, everything below `dataDir`. Throws `bad_configuration`. */
export function demoSettings(
  options: { readonly port: string; readonly dataDir: string },
  env: Environment,
  cwd: string,
): Config {
  const taken = Object.fromEntries(TAKEN.map((name) => [name, env[name]]));
  const { port, dataDir } = options;
  // Its hours are exported while somebody watches.
  return loadConfig({ port, dataDir, logLevel: 'warn' }, { ...taken, SLUICE_JITTER: '0' }, cwd);
}
