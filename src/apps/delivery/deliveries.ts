import { complaints } from '../../work/complaints.ts';
import { loop } from '../../work/loop.ts';
import { failAbandoned } from '../historical-exports/end.ts';
import { clearLedgers } from '../historical-exports/ledger.ts';
import { type Follower, follow } from './follow.ts';
import {
  AT_ONCE,
  endLeases,
  giveBack,
  type Lease,
  letGo,
  matchConfigs,
  renewLeases,
  takeLeases,
} from './lease.ts';
import { teamsWithNews } from './news.ts';
import type { DeliverPorts } from './ports.ts';
import { configVersions, loadDelivery, openBatches } from './store.ts';
import { isTheirs, tellAble, tellUnable } from './unable.ts';

export interface Pace {
  /** How long a process that says nothing keeps its deliveries. */
  readonly leaseSeconds: number;
  /** Between two looks after the leases, milliseconds: what a change of a plugin config waits for. */
  readonly leaseMs: number;
  /** Between two looks for new events, milliseconds. */
  readonly newsMs: number;
}

/** A dead process's deliveries move within 20 s, and events are on their way within one. */
export const PACE: Pace = { leaseSeconds: 12, leaseMs: 1_000, newsMs: 500 };

export interface DeliveriesPorts extends DeliverPorts {
  /** This process; another one after every start. */
  readonly owner: string;
  /** Whether no other process can be working on this database. */
  readonly alone: boolean;
  readonly pace: Pace;
  /** Arrival time below which nothing can appear any more, milliseconds since the epoch. */
  readonly watermark: () => Promise<number>;
}

export interface Deliveries {
  start(): Promise<void>;
  /** Begins nothing more, gives what is on the way `graceMs`, and lets go of every lease whose batches have ended. */
  stop(graceMs: number): Promise<void>;
}

interface Held {
  readonly lease: Lease;
  /** Of the config it was loaded with. */
  readonly version: string;
  readonly follower: Follower;
}

/** Every delivery of this process: takes leases, keeps them, follows the warehouse for each. */
export function createDeliveries(ports: DeliveriesPorts): Deliveries {
  const { db, clock, log, owner, counters } = ports;
  const held = new Map<string, Held>();
  /** Those that cannot begin, by id, and whether a person must mend that. */
  const unable = new Map<string, boolean>();
  const tide = { micros: 0 };
  const matching = complaints(log, clock, 'deliveries could not be matched with the apps that are on');
  const loops: { stop(): Promise<void> }[] = [];
  const every = (ms: number, turn: () => Promise<number | undefined>, what: string) =>
    loops.push(loop(clock, ms, turn, complaints(log, clock, what)));

  return {
    start: async () => {
      if (ports.alone) await endLeases(db);
      every(ports.pace.leaseMs, lookAfterLeases, 'leases of apps could not be looked after');
      every(ports.pace.leaseMs, endAbandoned, 'historical exports of apps that are off could not be ended');
      every(ports.pace.leaseMs, clear, 'what historical exports left could not be removed');
      every(ports.pace.newsMs, lookForNews, 'apps could not look for new events');
    },
    stop: async (graceMs) => {
      await Promise.all(loops.map((each) => each.stop()));
      let cut = false;
      const patience = setTimeout(() => {
        cut = true;
        for (const { follower } of held.values()) follower.abort();
      }, graceMs);
      await Promise.all([...held.values()].map(({ follower }) => follower.stop()));
      clearTimeout(patience);
      // Who takes over what was cut off must know that it may have been sent.
      if (cut) return;
      // With the database away they are taken over when their time is up, as a dead process's.
      await giveBack(db, owner).catch((err) => log.warn({ err }, 'leases of apps could not be given back'));
    },
  };

  async function lookAfterLeases(): Promise<number | undefined> {
    // First: whatever else goes wrong or takes long, no lease ends because of it.
    const kept = new Map(
      (await renewLeases(db, owner, ports.pace.leaseSeconds)).map((lease) => [lease.id, lease]),
    );
    await matchConfigs(ports).then(matching.worked, matching.failed);
    const versions = await configVersions(db, [...kept.keys()]);
    for (const [id, { lease, follower, version }] of held) {
      const lost = kept.get(id)?.epoch !== lease.epoch;
      const changed = versions.get(id) !== version;
      if (!lost && !changed && !follower.ended) continue;
      const byItself = follower.ended;
      // A changed config takes effect at once, whatever the old one was waiting for; no lease may wait for its receiver.
      follower.abort();
      await follower.stop();
      if (!lost) {
        if (changed) await forgiveFailures(id);
        // Taken anew below, as a dead process's: what was cut off may have been sent. No sooner: until here the database had
        // to answer again. A historical export that has just completed has no lease any more.
        kept.delete(id);
        const open = await letGo(db, lease);
        if (open && byItself) log.warn({ delivery: id }, 'a delivery begins anew from what is stored');
      }
      held.delete(id);
    }
    for (const id of unable.keys()) if (!kept.has(id)) isAble(id);
    const taken = await takeLeases(db, owner, ports.pace.leaseSeconds);
    for (const lease of [...kept.values(), ...taken]) {
      if (!held.has(lease.id)) await begin(lease).catch((err) => cannotBegin(lease, err));
    }
    return taken.length === AT_ONCE ? 0 : undefined;
  }

  /** It is tried again every second: a person may have mended it. */
  async function cannotBegin(lease: Lease, err: unknown): Promise<void> {
    if (!unable.has(lease.id)) {
      log.warn({ err, delivery: lease.id }, 'a delivery cannot begin');
      counters.failing(1);
    }
    unable.set(lease.id, isTheirs(err) || unable.get(lease.id) === true);
    // With the database away the next try tells it.
    await tellUnable(ports, lease, err).catch(() => {});
  }

  function isAble(id: string): void {
    if (unable.delete(id)) counters.failing(-1);
  }

  async function endAbandoned(): Promise<undefined> {
    await failAbandoned(ports);
  }

  async function clear(): Promise<number | undefined> {
    return (await clearLedgers(db)) ? 0 : undefined;
  }

  async function begin(lease: Lease): Promise<void> {
    const version = (await configVersions(db, [lease.id])).get(lease.id);
    const delivery = await loadDelivery(ports, lease);
    const app = delivery && ports.apps.get(delivery.pluginId);
    if (!delivery || !app || version === undefined) return;
    const open = await openBatches(db, lease.id);
    const mended = unable.get(lease.id) === true;
    await tellAble(ports, lease, mended);
    isAble(lease.id);
    // With new secrets nobody waits for what the old ones failed with.
    const from = mended ? { ...delivery, nextAttemptAt: null } : delivery;
    held.set(lease.id, { lease, version, follower: follow(ports, app, from, open, tide) });
  }

  async function lookForNews(): Promise<undefined> {
    if (held.size === 0) return;
    const reached = (await ports.watermark()) * 1000;
    const from = tide.micros;
    if (reached <= from) return;
    tide.micros = reached;
    const followers = [...held.values()].map(({ follower }) => follower);
    // Nobody has looked yet.
    if (from === 0) for (const follower of followers) follower.wake();
    if (from === 0) return;
    const teams = [...new Set(followers.map(({ teamId }) => teamId))];
    const busy = await teamsWithNews(ports.warehouse, teams, from, reached).catch((error) => {
      // Asked again for the same stretch.
      tide.micros = from;
      throw error;
    });
    for (const follower of followers) if (busy.has(follower.teamId)) follower.wake();
  }

  async function forgiveFailures(id: string): Promise<void> {
    await db.updateTable('app_deliveries').set({ next_attempt_at: null }).where('id', '=', id).execute();
  }
}
