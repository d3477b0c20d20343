import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { lockDirectory } from '../../work/directory-lock.ts';
import { connectWarehouse } from '../client.ts';
import type { Warehouse } from '../warehouse.ts';
import { removeEndpoint, writeEndpoint } from './endpoint-file.ts';
import { keepRunning, type SupervisorLog } from './supervisor.ts';

export interface EmbeddedOptions {
  /** Holds `warehouse/`, `warehouse.lock` and, while it runs, `endpoint.json`. */
  readonly dataDir: string;
  /** 0 = any. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: a random one. Null = none, for whoever reaches the port. */
  readonly password?: string | null;
  /** Bytes the engine may use. */
  readonly memory: number;
  readonly log: SupervisorLog;
  /**
   * Milliseconds without a sign of life after which the engine's process is ended and started again; default five
   * minutes.
   */
  readonly hungAfterMs?: number;
}

export interface EmbeddedWarehouse {
  /** With credentials. Stays the same while the engine restarts. */
  readonly url: string;
  readonly warehouse: Warehouse;
  /** Stops the engine and its queries; resolves when the process is gone. */
  close(): Promise<void>;
}

/**
 * ClickHouse in a child process that speaks ClickHouse's HTTP and dies with this one. A crash restarts it
 * on the same port; meanwhile queries fail with `warehouse_unavailable`. Throws `data_dir_locked` when
 * another process runs one on this folder, `warehouse_unavailable` when it does not start.
 */
export async function startEmbeddedWarehouse(options: EmbeddedOptions): Promise<EmbeddedWarehouse> {
  const lock = lockDirectory(join(options.dataDir, 'warehouse.lock'));
  try {
    const { dataDir, port, host = '127.0.0.1', memory, log } = options;
    const password =
      options.password === undefined ? randomBytes(18).toString('base64url') : options.password;
    const message = { dataDir, host, port, password, memory };
    const child = await keepRunning(message, log, options.hungAfterMs);
    const url = urlOf(host, child.port, password);
    const warehouse = connectWarehouse({ url, localFiles: true, log });
    writeEndpoint(dataDir, { url, pid: process.pid });
    return {
      url,
      warehouse,
      close: async () => {
        removeEndpoint(dataDir);
        await warehouse.close();
        await child.stop();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A wildcard address is no place to connect to; the loopback of its family is. */
function urlOf(host: string, port: number, password: string | null): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const name = reachable.includes(':') ? `[${reachable}]` : reachable;
  const credentials = password === null ? '' : `default:${encodeURIComponent(password)}@`;
  return `http://${credentials}${name}:${port}`;
}
