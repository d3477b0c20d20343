import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { SluiceError } from '../errors/error.ts';

type Part = 'database' | 'warehouse';
type Where = Pick<Config, 'dataDir' | 'databaseUrl' | 'clickhouseUrl'>;

/** Whether this part is there: on a server, or as a folder of the data directory, which the first start makes. */
export function hasPart(part: Part, { dataDir, databaseUrl, clickhouseUrl }: Where): boolean {
  const server = part === 'database' ? databaseUrl : clickhouseUrl;
  return server !== undefined || existsSync(join(dataDir, part));
}

/** For commands that would else make a new, empty installation and find nothing in it. Throws `bad_configuration`. */
export function requirePart(part: Part, where: Where): void {
  if (hasPart(part, where)) return;
  const name = part === 'database' ? 'DATABASE_URL' : 'CLICKHOUSE_URL';
  throw new SluiceError('bad_configuration', {
    detail:
      `${where.dataDir} holds no Sluice. Name its data directory with --data-dir or SLUICE_DATA_DIR, or its server ` +
      `with ${name}; \`sluice serve\` makes a new one.`,
  });
}
