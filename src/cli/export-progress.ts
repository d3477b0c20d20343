import { takenSoFar } from '../export/how-far.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import { silent } from '../work/complaints.ts';
import { loop } from '../work/loop.ts';
import type { Progress } from './progress.ts';

/** Between two looks at the queries of the run. */
const LOOK_MS = 500;

export interface RunProgress {
  /** So many rows are in files that are done. */
  finished(rows: number): void;
  end(): Promise<void>;
}

/**
 * Keeps a bar of `total` rows at what files that are done and those in the making hold. It never goes back, and is full when all
 * files are done. Where nobody may look at running queries, it moves by whole files.
 */
export function followRun(
  { warehouse, clock }: { readonly warehouse: Pick<Warehouse, 'rows'>; readonly clock: Clock },
  run: { readonly id: string; readonly total: number },
  bar: Progress,
): RunProgress {
  const taken = new Map<string, number>();
  let shown = 0;
  const show = (rows: number) => {
    shown = Math.max(shown, rows);
    bar.update(shown);
  };
  show(0);
  const ended = new AbortController();
  const look = async () => {
    for (const [id, rows] of await takenSoFar(warehouse, run, ended.signal)) taken.set(id, rows);
    const sum = [...taken.values()].reduce((all, rows) => all + rows, 0);
    show(Math.min(sum, run.total - 1));
    return undefined;
  };
  const looking = loop(clock, LOOK_MS, look, silent);
  return {
    finished: show,
    end: async () => {
      ended.abort();
      await looking.stop();
      bar.end();
    },
  };
}
