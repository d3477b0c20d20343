import { loop } from '../../work/loop.ts';
import { failAbandoned } from '../historical-exports/end.ts';
import { type Follower, follow } from './follow.ts';
import { endLeases, giveBack, type Lease, letGo, matchConfigs, renewLeases, takeLeases } from './lease.ts';
import { teamsWithNews } from './news.ts';
import type { DeliverPorts } from './ports.ts';
import { loadDelivery, openBatches } from './store.ts';

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
  /** The config it was loaded with. */
  readonly updatedAt: number;
  readonly follower: Follower;
}

/** Every delivery of this process: takes leases, keeps them, follows the warehouse for each. */
export function createDeliveries(ports: DeliveriesPorts): Deliveries {
  const { db, clock, log, owner } = ports;
  const held = new Map<string, Held>();
  const unable = new Set<string>();
  const tide = { micros: 0 };
  const loops: { stop(): Promise<void> }[] = [];
  const every = (ms: number, turn: () => Promise<void>, what: string) =>
    loops.push(
      loop(
        clock,
        ms,
        async () => void (await turn()),
        (err) => log.warn({ err }, what),
      ),
    );

  return {
    start: async () => {
      if (ports.alone) await endLeases(db);
      every(ports.pace.leaseMs, lookAfterLeases, 'leases of apps could not be looked after');
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
      if (!cut) await giveBack(db, owner);
    },
  };

  async function lookAfterLeases(): Promise<void> {
    await matchConfigs(ports);
    await failAbandoned(ports);
    const kept = new Map(
      (await renewLeases(db, owner, ports.pace.leaseSeconds)).map((lease) => [lease.id, lease]),
    );
    const configs = await updatedAt([...kept.keys()]);
    for (const [id, { lease, follower, updatedAt: known }] of held) {
      const lost = kept.get(id)?.epoch !== lease.epoch;
      const changed = configs.get(id) !== known;
      if (!lost && !changed && !follower.ended) continue;
      if (!lost && follower.ended) {
        // Taken anew below, as a dead process's. No sooner: until here the database had to answer again.
        kept.delete(id);
        // A historical export that has just completed has no lease any more.
        if (await letGo(db, lease)) log.warn({ delivery: id }, 'a delivery begins anew from what is stored');
      }
      // A changed config takes effect at once, whatever the old one was waiting for; no lease may wait for its receiver.
      follower.abort();
      await follower.stop();
      held.delete(id);
      if (!lost && changed) await forgiveFailures(id);
    }
    for (const lease of [...kept.values(), ...(await takeLeases(db, owner, ports.pace.leaseSeconds))]) {
      if (held.has(lease.id)) continue;
      await begin(lease).catch((err) => {
        // Once: it is tried again every second, after a person has mended it.
        if (!unable.has(lease.id)) log.warn({ err, delivery: lease.id }, 'a delivery cannot begin');
        unable.add(lease.id);
      });
    }
  }

  async function begin(lease: Lease): Promise<void> {
    const updated = (await updatedAt([lease.id])).get(lease.id);
    const delivery = await loadDelivery(ports, lease);
    const app = delivery && ports.apps.get(delivery.pluginId);
    if (!delivery || !app || updated === undefined) return;
    const open = await openBatches(db, lease.id);
    unable.delete(lease.id);
    held.set(lease.id, { lease, updatedAt: updated, follower: follow(ports, app, delivery, open, tide) });
  }

  async function lookForNews(): Promise<void> {
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

  async function updatedAt(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map();
    const rows = await db
      .selectFrom('app_deliveries as delivery')
      .innerJoin('plugin_configs as config', 'config.id', 'delivery.plugin_config_id')
      .select(['delivery.id', 'config.updated_at'])
      .where('delivery.id', 'in', [...ids])
      .execute();
    return new Map(rows.map(({ id, updated_at }) => [id, updated_at.getTime()]));
  }

  async function forgiveFailures(id: string): Promise<void> {
    await db.updateTable('app_deliveries').set({ next_attempt_at: null }).where('id', '=', id).execute();
  }
}
