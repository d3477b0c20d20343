import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { SluiceError } from './errors/error.ts';
import { isRange } from './work/hosts.ts';

/** The environment and the options of `serve`, typed and validated once. */
export interface Config {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /**
   * Proxies whose `X-Forwarded-*` are believed: how many stand in front of this server, or their addresses and CIDR blocks.
   */
  readonly trustProxy: number | string[];
  readonly dataDir: string;
  /** Absent = Sluice brings its own chDB. */
  readonly clickhouseUrl: string | undefined;
  /** Absent = Sluice brings its own PGlite. */
  readonly databaseUrl: string | undefined;
  /** Base64 or text of at least 16 bytes, or several by commas, the newest first; absent = a 0600 file in the data directory. */
  readonly secretKey: string | undefined;
  readonly logLevel: string;
  readonly readyJson: boolean;
  readonly bootstrapPersonalApiKey: string | undefined;
  /** Filesystem destinations write below this directory only. */
  readonly filesRoot: string;
  /** Host names, `*.suffix`, addresses, CIDR blocks or `*` that outgoing connections may reach although private. */
  readonly allowedHosts: readonly string[];
  /** Answer and capture only: no run, no backfill, no download and no app's delivery is begun here. */
  readonly standby: boolean;
  /** Another warehouse than the database knows is what this process shall have: it was moved or restored. */
  readonly acceptWarehouse: boolean;
  /** Runs at once in this process. */
  readonly concurrency: number;
  /** Seconds after an interval's end before it is read; null = the default for the size. */
  readonly settleSeconds: number | null;
  /** Download every file again for its proof, even one whose checksums the store has confirmed. */
  readonly readBack: boolean;
  readonly rateLimitEnabled: boolean;
  /** Projects that are never limited (contract.md §1.6). */
  readonly rateLimitExempt: readonly number[];
  /** 0 = runs start the moment their interval ends; 1 = spread as contract.md §13 says. */
  readonly jitterScale: number;
  /** Runs of one export's backfills at once. */
  readonly backfillParallelism: number;
  /** Backfills of one project at once. */
  readonly maxBackfills: number;
  /** Historical exports of one project at once. */
  readonly maxHistoricalExports: number;
  /** Files of downloads lie below this directory; processes of one Sluice must share it. */
  readonly downloadsRoot: string;
  /** File downloads of one project at once. */
  readonly maxFileDownloads: number;
  /** Seconds that a link to a downloaded file is good. */
  readonly downloadLinkSeconds: number;
  /** Seconds that files of downloads are kept. */
  readonly downloadKeepSeconds: number;
  /** Days that log lines of exports are kept. */
  readonly logKeepDays: number;
  /** Features that are turned off (contract.md §1.8). */
  readonly closedGates: readonly string[];
  /** Accept the old destination type S3 with its keys in the config (contract.md §14). */
  readonly legacyS3: boolean;
  /** Embedded engine's memory limit, bytes. */
  readonly warehouseMemory: number;
  /** Of `sluice warehouse`; absent = a random one at each start. */
  readonly warehousePassword: string | undefined;
  /** Silence of ClickHouse, of a statement of Postgres, of a destination, after which it is not waited for any more. */
  readonly warehouseTimeoutMs: number;
  readonly databaseTimeoutMs: number;
  readonly destinationTimeoutMs: number;
  /** The wait after a run's first failed attempt; it doubles with each. */
  readonly retryMs: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ServeOptions {
  readonly port?: string;
  readonly host?: string;
  readonly dataDir?: string;
  readonly readyJson?: boolean;
  readonly logLevel?: string;
  readonly standby?: boolean;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Reads options over environment over defaults. An empty variable counts as unset, an empty option is refused: the empty host is
 * every interface, the empty directory the current one. Throws `bad_configuration` naming the setting.
 */
export function loadConfig(options: ServeOptions, environment: Environment, cwd: string): Config {
  const env: Environment = Object.fromEntries(Object.entries(environment).filter(([, text]) => text !== ''));
  refuseEmpty('--host', options.host);
  refuseEmpty('--port', options.port);
  refuseEmpty('--data-dir', options.dataDir);
  return configOf(options, env, cwd);
}

/** All variables that are read. */
export function settingNames(): string[] {
  const names = new Set<string>();
  const remember = (_: Environment, name: string | symbol) => void names.add(String(name));
  configOf({}, new Proxy<Environment>({}, { get: remember }), '/');
  return [...names];
}

function configOf(options: ServeOptions, env: Environment, cwd: string): Config {
  const dataDir = resolve(cwd, options.dataDir ?? env.SLUICE_DATA_DIR ?? '.sluice');
  return {
    host: options.host ?? env.SLUICE_HOST ?? '127.0.0.1',
    port: integer(...given('--port', options.port, 'SLUICE_PORT', env, '8010'), 0, 65535),
    trustProxy: proxies('SLUICE_TRUST_PROXY', env.SLUICE_TRUST_PROXY),
    dataDir,
    clickhouseUrl: url('CLICKHOUSE_URL', env.CLICKHOUSE_URL, ['http:', 'https:']),
    databaseUrl: url('DATABASE_URL', env.DATABASE_URL, ['postgres:', 'postgresql:']),
    secretKey: env.SLUICE_SECRET_KEY,
    logLevel: oneOf(...given('--log-level', options.logLevel, 'SLUICE_LOG_LEVEL', env, 'info'), LOG_LEVELS),
    readyJson: options.readyJson ?? false,
    bootstrapPersonalApiKey: env.SLUICE_BOOTSTRAP_PERSONAL_API_KEY,
    filesRoot: path(env.SLUICE_FILES_ROOT, resolve(dataDir, 'exports'), cwd),
    allowedHosts: list(env.SLUICE_ALLOWED_HOSTS).map(allowedHost),
    standby: isOn('SLUICE_STANDBY', options.standby ? 'on' : env.SLUICE_STANDBY),
    acceptWarehouse: isOn('SLUICE_ACCEPT_WAREHOUSE', env.SLUICE_ACCEPT_WAREHOUSE),
    concurrency: integer('SLUICE_CONCURRENCY', env.SLUICE_CONCURRENCY ?? '2', 1, 64),
    settleSeconds: env.SLUICE_SETTLE_SECONDS
      ? integer('SLUICE_SETTLE_SECONDS', env.SLUICE_SETTLE_SECONDS, 0, 86_400)
      : null,
    readBack: isOn('SLUICE_READ_BACK', env.SLUICE_READ_BACK),
    rateLimitEnabled: isOn('RATE_LIMIT_ENABLED', env.RATE_LIMIT_ENABLED),
    // Upstream's name of it.
    rateLimitExempt: list(env.RATE_LIMITING_ALLOW_LIST_TEAMS).map((id) =>
      integer('RATE_LIMITING_ALLOW_LIST_TEAMS', id, 1, 2 ** 31 - 1),
    ),
    jitterScale: fraction('SLUICE_JITTER', env.SLUICE_JITTER ?? '1'),
    backfillParallelism: integer(
      'SLUICE_BACKFILL_PARALLELISM',
      env.SLUICE_BACKFILL_PARALLELISM ?? '4',
      1,
      100,
    ),
    maxBackfills: integer('SLUICE_MAX_BACKFILLS', env.SLUICE_MAX_BACKFILLS ?? '5', 1, 10_000),
    maxHistoricalExports: integer(
      'SLUICE_MAX_HISTORICAL_EXPORTS',
      env.SLUICE_MAX_HISTORICAL_EXPORTS ?? '5',
      1,
      10_000,
    ),
    downloadsRoot: path(env.SLUICE_DOWNLOADS_ROOT, resolve(dataDir, 'downloads'), cwd),
    maxFileDownloads: integer('SLUICE_MAX_FILE_DOWNLOADS', env.SLUICE_MAX_FILE_DOWNLOADS ?? '5', 1, 10_000),
    downloadLinkSeconds: integer(
      'SLUICE_DOWNLOAD_LINK_SECONDS',
      env.SLUICE_DOWNLOAD_LINK_SECONDS ?? '3600',
      1,
      604_800,
    ),
    downloadKeepSeconds: integer(
      'SLUICE_DOWNLOAD_KEEP_SECONDS',
      env.SLUICE_DOWNLOAD_KEEP_SECONDS ?? '259200',
      60,
      31_536_000,
    ),
    logKeepDays: integer('SLUICE_LOG_KEEP_DAYS', env.SLUICE_LOG_KEEP_DAYS ?? '90', 1, 36_500),
    closedGates: list(env.SLUICE_CLOSED_GATES).map((name) => oneOf('SLUICE_CLOSED_GATES', name, GATES)),
    legacyS3: isOn('SLUICE_LEGACY_S3', env.SLUICE_LEGACY_S3),
    warehouseMemory: integer(
      'SLUICE_WAREHOUSE_MEMORY',
      env.SLUICE_WAREHOUSE_MEMORY ?? '4000000000',
      1e8,
      1e13,
    ),
    warehousePassword: env.SLUICE_WAREHOUSE_PASSWORD,
    warehouseTimeoutMs: seconds('SLUICE_WAREHOUSE_TIMEOUT_SECONDS', env, 60),
    databaseTimeoutMs: seconds('SLUICE_DATABASE_TIMEOUT_SECONDS', env, 60),
    destinationTimeoutMs: seconds('SLUICE_DESTINATION_TIMEOUT_SECONDS', env, 60),
    retryMs: seconds('SLUICE_RETRY_SECONDS', env, 5),
  };
}

/** What a person set it with, the option or the variable, and its text. */
const given = (
  option: string,
  text: string | undefined,
  name: string,
  env: Environment,
  otherwise: string,
): [name: string, text: string] => (text === undefined ? [name, env[name] ?? otherwise] : [option, text]);

/** 1 to 600 seconds, as milliseconds. */
const seconds = (name: string, env: Environment, otherwise: number): number =>
  integer(name, env[name] ?? String(otherwise), 1, 600) * 1000;

/** Upstream's names of them. */
const GATES = [
  'high-frequency-batch-exports',
  'hogql-batch-exports',
  'backfill-workflows-destination',
  'batch-export-earliest-backfill',
];

const list = (text = ''): string[] =>
  text
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter(Boolean);

const ON = ['1', 'true', 'yes', 'on'];
const OFF = ['0', 'false', 'no', 'off'];

/** Unset is off. */
function isOn(name: string, text = 'off'): boolean {
  const word = text.trim().toLowerCase();
  if (ON.includes(word) || OFF.includes(word)) return ON.includes(word);
  throw bad(name, `must be one of ${[...ON, ...OFF].join(', ')}, not "${text}"`);
}

/** What could never match a host is a mistake worth telling: URLs, ports, blocks with too many bits. */
function allowedHost(entry: string): string {
  if (isRange(entry) || /^(\*|(\*\.)?[^\s*/:@]+|\[[0-9a-f:.]+\])$/.test(entry)) return entry;
  throw bad(
    'SLUICE_ALLOWED_HOSTS',
    `takes host names, *.suffix, addresses, CIDR blocks and *, without scheme, port or path, not "${entry}"`,
  );
}

/** None = 0, and the connection's own address counts. Whoever is not behind as many proxies could else choose an address. */
function proxies(name: string, text = ''): number | string[] {
  if (/^\s*\d+\s*$/.test(text)) return integer(name, text, 0, 100);
  const trusted = list(text);
  const wrong = trusted.find((item) => !isBlock(item));
  if (wrong === undefined) return trusted.length === 0 ? 0 : trusted;
  throw bad(name, `must be a number of proxies, or a list of addresses and CIDR blocks, not "${wrong}"`);
}

/** `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`. */
function isBlock(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  if (bits === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d+$/.test(prefix) && wholeNumber(prefix, 1, bits) !== null);
}

/** The whole number from `min` to `max` that a person wrote, or null. To `Number`, a blank text is 0. */
export function wholeNumber(text: string, min: number, max: number): number | null {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isInteger(value) && value >= min && value <= max ? value : null;
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = wholeNumber(text, min, max);
  if (value !== null) return value;
  throw bad(name, `must be a whole number from ${min} to ${max}, not "${text}"`);
}

function fraction(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw bad(name, `must be a number from 0 to 1, not "${text}"`);
}

function oneOf(name: string, value: string, allowed: readonly string[]): string {
  if (allowed.includes(value)) return value;
  throw bad(name, `must be one of ${allowed.join(', ')}, not "${value}"`);
}

/** Never repeats the value: it may hold a password. */
function url(name: string, text: string | undefined, protocols: readonly string[]): string | undefined {
  if (!text) return undefined;
  if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
  throw bad(name, `must be a URL starting with ${protocols.map((p) => `${p}//`).join(' or ')}`);
}

function path(text: string | undefined, otherwise: string, cwd: string): string {
  if (!text) return otherwise;
  return isAbsolute(text) ? text : resolve(cwd, text);
}

function refuseEmpty(name: string, text: string | undefined): void {
  if (text === '') throw bad(name, 'must not be empty');
}

function bad(name: string, detail: string): SluiceError {
  return new SluiceError('bad_configuration', { detail: `${name} ${detail}.` });
}
