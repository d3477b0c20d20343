import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Batcher } from '../../src/capture/batcher.ts';
import { captureEndpoints } from '../../src/capture/endpoints.ts';
import { createPersonIds } from '../../src/capture/person-id.ts';
import { createReader } from '../../src/capture/reader.ts';
import { createStamps, newestStamp } from '../../src/capture/stamps.ts';
import { openReaderThread } from '../../src/capture/threads/open-thread.ts';
import { readInThreads } from '../../src/capture/threads/readers.ts';
import { newUuid } from '../../src/capture/uuid.ts';
import type { Endpoint } from '../../src/http/endpoint.ts';
import { type EmbeddedWarehouse, startEmbeddedWarehouse } from '../../src/warehouse/embedded/start.ts';
import { migrateWarehouse } from '../../src/warehouse/migrate.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { systemClock } from '../../src/work/clock.ts';
import { createPublicServer } from '../kit/public-server.ts';

export const KEY = 'phc_capture';
export const TEAM = 7;

export interface Capture {
  readonly url: string;
  readonly warehouse: Warehouse;
  readonly batcher: Batcher;
  /** Stops the engine, as a crash or an upgrade would. */
  stopEngine(): Promise<void>;
  /** Starts it again at the same address. */
  startEngine(): Promise<void>;
  close(): Promise<void>;
}

/** The capture API on a free port in front of a real embedded warehouse. */
export async function startCapture(more: readonly Endpoint[] = []): Promise<Capture> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-capture-'));
  const log = pino({ level: 'silent' });
  const password = 'only-for-this-test';
  let engine: EmbeddedWarehouse | null = null;
  const startEngine = async (port = 0) => {
    engine = await startEmbeddedWarehouse({ dataDir, port, password, memory: 2e9, log });
    return engine;
  };
  const { warehouse, url: engineUrl } = await startEngine();
  await migrateWarehouse(warehouse);
  const stamps = createStamps(systemClock, await newestStamp(warehouse, systemClock));
  const batcher = new Batcher({ warehouse, clock: systemClock, stamps, limits: { retryDelaysMs: [20] } });
  const projectByKey = async (key: string) => (key === KEY ? { id: TEAM } : null);
  const neverLost = (error: Error) => {
    throw error;
  };
  const reader = readInThreads({
    here: createReader({ projectByKey, newUuid, personId: createPersonIds() }),
    open: (onLost) => openReaderThread(projectByKey, onLost),
    threads: 2,
    threadBytes: 1024,
    onLost: neverLost,
  });
  const server = await createPublicServer({
    endpoints: [
      ...captureEndpoints({
        reader,
        batcher,
        clock: systemClock,
        keepIp: true,
      }),
      ...more,
    ],
    verifyAnswers: true,
  });
  const url = await server.listen('127.0.0.1', 0);
  return {
    url,
    warehouse,
    batcher,
    stopEngine: async () => engine?.close(),
    startEngine: async () => {
      await startEngine(Number(new URL(engineUrl).port));
    },
    close: async () => {
      await server.close();
      await reader.close();
      await batcher.close();
      await engine?.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface StoredRow {
  readonly uuid: string;
  readonly event: string;
  readonly properties: string;
  readonly distinct_id: string;
  readonly timestamp: string;
  readonly elements_chain: string;
  readonly person_id: string;
  readonly person_mode: string;
  readonly team_id: string;
  readonly inserted_at: string;
}

/** What is stored under an event name, without merging anything away. */
export function stored(warehouse: Warehouse, event: string): Promise<StoredRow[]> {
  return warehouse.rows<StoredRow>({
    sql: 'SELECT * FROM events WHERE event = {event:String} ORDER BY distinct_id, timestamp, uuid',
    params: { event },
  });
}
