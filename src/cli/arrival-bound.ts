import { type EventsSpec, eventsSource } from '../export/models/events.ts';
import { arrivalWatermark } from '../export/watermark.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';

export interface BoundPorts {
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  /** How long rows may take to become visible after they were stamped, milliseconds. */
  readonly settleMs: number;
  readonly signal: AbortSignal;
  /** Told once, before it waits. */
  readonly onWait: () => void;
}

/** Between two looks at a watermark that an insert holds back. */
const LOOK_MS = 1000;

/**
 * The arrival time, milliseconds since the epoch, up to which an export beside a server that captures reads: below it
 * nothing comes any more, so that what is counted is what is written. Everything that was there when it was asked for
 * lies below; where events of the range have only just arrived, it waits for that. Rejects with the signal's reason.
 */
export async function arrivalBound(spec: EventsSpec, ports: BoundPorts): Promise<number> {
  const { warehouse, clock, settleMs, signal } = ports;
  // Stamps are finer than the clock.
  const asked = clock.now() + 1;
  for (let looks = 0; ; looks++) {
    const reached = await arrivalWatermark({ warehouse, clock, settleMs, oldestInFlight: () => null });
    if (reached >= asked) return asked;
    if ((await arrivedFrom(spec, reached, ports)) === 0) return reached;
    if (looks === 0) ports.onWait();
    await clock.sleep(Math.min(asked - reached, LOOK_MS), signal);
  }
}

/** How many rows of what `spec` asks for arrived at `from` (milliseconds since the epoch) or later. */
export async function arrivedFrom(
  spec: EventsSpec,
  from: number,
  { warehouse, signal }: Pick<BoundPorts, 'warehouse' | 'signal'>,
): Promise<number> {
  const region = { ...spec.region, arrivalFrom: from, arrivalTo: null };
  const { table, where } = eventsSource({ ...spec, region });
  const sql = `SELECT count() AS rows FROM ${table} WHERE ${where.sql}`;
  const [row] = await warehouse.rows<{ rows: string }>({ sql, params: where.params, signal });
  return Number(row?.rows ?? 0);
}
