import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a running embedded warehouse can be reached by other processes of the same user. */
export interface Endpoint {
  /** With credentials. */
  readonly url: string;
  /** The process that started it. */
  readonly pid: number;
}

const fileIn = (dataDir: string): string => join(dataDir, 'endpoint.json');

/** Readable by the owner only: it holds the password. */
export function writeEndpoint(dataDir: string, endpoint: Endpoint): void {
  const partial = `${fileIn(dataDir)}.${endpoint.pid}`;
  writeFileSync(partial, `${JSON.stringify(endpoint)}\n`, { mode: 0o600 });
  renameSync(partial, fileIn(dataDir));
}

export function removeEndpoint(dataDir: string): void {
  rmSync(fileIn(dataDir), { force: true });
}

/** The embedded warehouse that some process runs on `dataDir`, or null. */
export async function findRunningWarehouse(dataDir: string): Promise<Endpoint | null> {
  let endpoint: Endpoint;
  try {
    endpoint = JSON.parse(readFileSync(fileIn(dataDir), 'utf8')) as Endpoint;
  } catch {
    return null;
  }
  const answer = await fetch(new URL('/ping', new URL(endpoint.url).origin), {
    signal: AbortSignal.timeout(2_000),
  }).catch(() => null);
  return answer?.ok ? endpoint : null;
}
