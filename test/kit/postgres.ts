import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { postgresBinaries, type ServerUser, serverUser } from './postgres-binaries.ts';

export interface PostgresOptions {
  /** Survive a power failure, as in production; tests do without (default false). */
  readonly fsync?: boolean;
  /** Further settings, `max_connections` and the like. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A real Postgres server of its own on a loopback port and a unix socket. */
export interface Postgres {
  /** Of the database `postgres`; the superuser needs no password. */
  readonly url: string;
  readonly port: number;
  /** Directory of the unix socket. */
  readonly socketDirectory: string;
  /** Makes an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  /** SIGKILL, as a crash would; connections break. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data, recovering when it was killed. */
  restart(): Promise<void>;
  /** Fast shutdown; removes everything. */
  stop(): Promise<void>;
}

/**
 * Starts a server from npm's binaries on an empty data directory below the system's temporary one; as
 * `nobody` when we are root. Takes about 1.5 s.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const user = serverUser();
  const directory = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  try {
    if (user) await chown(directory, user.uid, user.gid);
    const binaries = await postgresBinaries(directory, user);
    const [data, socketDirectory] = [join(directory, 'data'), join(directory, 'socket')];
    await mkdir(socketDirectory);
    if (user) await chown(socketDirectory, user.uid, user.gid);
    await initialize(join(binaries, 'bin/initdb'), data, user);
    const port = await freePort();
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: socketDirectory,
      fsync: options.fsync ? 'on' : 'off',
      synchronous_commit: options.fsync ? 'on' : 'off',
      full_page_writes: options.fsync ? 'on' : 'off',
      shared_buffers: '64MB',
      ...options.settings,
    };
    const start = () => launch(join(binaries, 'bin/postgres'), data, settings, user);
    return await running(directory, port, socketDirectory, start);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function running(
  directory: string,
  port: number,
  socketDirectory: string,
  start: () => Promise<Server>,
): Promise<Postgres> {
  let server = await start();
  // A test process that dies must not leave a server behind.
  const last = () => void server.process.kill('SIGKILL');
  process.once('exit', last);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let databases = 0;
  return {
    url,
    port,
    socketDirectory,
    createDatabase: async () => {
      const name = `test_${++databases}`;
      const client = new Client({ connectionString: url });
      await client.connect();
      try {
        await client.query(`CREATE DATABASE ${name}`);
      } finally {
        await client.end();
      }
      return url.replace(/postgres$/, name);
    },
    kill: () => end(server, 'SIGKILL'),
    restart: async () => {
      await end(server, 'SIGINT');
      server = await start();
    },
    stop: async () => {
      process.removeListener('exit', last);
      await end(server, 'SIGINT');
      await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

interface Server {
  readonly process: ChildProcess;
  /** Its children hold the other end of its stderr: closed means that all of them are gone, too. */
  readonly gone: Promise<void>;
}

async function initialize(initdb: string, data: string, user: ServerUser): Promise<void> {
  const options = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  await promisify(execFile)(initdb, options, { cwd: tmpdir(), env: environment, ...user });
}

/** Resolves when the server takes connections; rejects with what it said when it ends before. */
async function launch(
  postgres: string,
  data: string,
  settings: Readonly<Record<string, string>>,
  user: ServerUser,
): Promise<Server> {
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(postgres, ['-D', data, ...options], {
    cwd: data,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...user,
  });
  const gone = Promise.withResolvers<void>();
  server.once('close', () => gone.resolve());
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`Postgres ended before it was ready:\n${said.join('\n')}`)));
    createInterface(server.stderr).on('line', (line) => {
      if (said.length < 50) said.push(line);
      if (line.includes('ready to accept connections')) resolve();
    });
  });
  server.removeAllListeners('exit');
  return { process: server, gone: gone.promise };
}

async function end(server: Server, signal: NodeJS.Signals): Promise<void> {
  server.process.kill(signal);
  await server.gone;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Messages in English whatever the machine speaks, because we wait for one. */
const environment = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' };
