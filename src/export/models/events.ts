import type { Region } from '../../database/tables.ts';
import type { RunSpec } from '../spec.ts';
import { filterFragments } from './filters.ts';
import { and, type Fragment } from './fragment.ts';
import { inRegions } from './regions.ts';

/** Arrival time, spelled as in PostHog's minmax index (engine.md §1.1). */
export const ARRIVAL = 'COALESCE(inserted_at, _timestamp)';

export type ColumnKind = 'uuid' | 'time' | 'text' | 'json';

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
}

/**
 * The columns of an exported event in their order (engine.md §1.4, S3 family, with `person_properties` and
 * `person_id`). `_inserted_at` is the arrival time in every run. Upstream shows `timestamp` under that name in
 * backfills, which makes the column useless for loading increments; ours always means the same.
 */
export const EVENT_COLUMNS: readonly Column[] = [
  { name: 'uuid', kind: 'uuid' },
  { name: 'timestamp', kind: 'time' },
  { name: '_inserted_at', kind: 'time' },
  { name: 'created_at', kind: 'time' },
  { name: 'event', kind: 'text' },
  { name: 'properties', kind: 'json' },
  { name: 'distinct_id', kind: 'text' },
  { name: 'person_properties', kind: 'json' },
  { name: 'elements_chain', kind: 'text' },
  { name: 'person_id', kind: 'uuid' },
];

/** Where rows come from, before duplicates are dropped and anything is encoded. */
export interface Source {
  readonly table: string;
  /** Select list that gives every column of the model under its exported name, undecorated. */
  readonly columns: string;
  readonly where: Fragment;
  /** Rows equal in these are one row (engine.md §1.2: within a run, not across runs). */
  readonly identity: string;
  /** Of equal rows the first in this order is exported: the newest version, then any, but always the same. */
  readonly preference: string;
}

/** What decides which events a run exports. */
export type EventsSpec = Pick<
  RunSpec,
  'teamId' | 'interval' | 'region' | 'excludes' | 'includeEvents' | 'excludeEvents' | 'filters'
>;

/**
 * The events of a run: the project's, inside the run's region and outside its excludes, of the wanted names, and
 * accepted by the export's filters. Throws what `filterFragments` throws.
 * Live runs go by arrival alone. Upstream also bounds event time to a week before the interval (engine.md §1.3
 * rule 6) and so loses events that come later.
 */
export function eventsSource(spec: EventsSpec): Source {
  const named: Fragment[] = [];
  if (spec.includeEvents.length > 0) {
    named.push({
      sql: 'event IN {include_events:Array(String)}',
      params: { include_events: spec.includeEvents },
    });
  }
  if (spec.excludeEvents.length > 0) {
    named.push({
      sql: 'event NOT IN {exclude_events:Array(String)}',
      params: { exclude_events: spec.excludeEvents },
    });
  }
  return {
    table: 'events',
    columns: `uuid, timestamp, toDateTime64(${ARRIVAL}, 6, 'UTC') AS _inserted_at, created_at, event, properties,
      distinct_id, person_properties, elements_chain, person_id`,
    where: and([
      { sql: 'team_id = {team_id:Int64}', params: { team_id: spec.teamId } },
      inRegions({ arrival: ARRIVAL, event: 'timestamp' }, spec.region, spec.excludes),
      ...insertedBetween(spec.region),
      ...named,
      ...filterFragments(spec.filters, spec.interval.end),
    ]),
    identity: 'event, cityHash64(distinct_id), uuid',
    preference: `_timestamp DESC, ${ARRIVAL} DESC, _offset DESC, timestamp DESC, created_at DESC,
      cityHash64(properties, person_properties, elements_chain, person_id) DESC`,
  };
}

/**
 * What the arrival bounds imply for `inserted_at`, said in a way that its own minmax index understands. ClickHouse
 * 26.7 never uses an index on `COALESCE(…)`: an hour of 16 M rows was found by reading all 16 M; with these
 * conditions and our index it reads 0.1 M. They decide no row by themselves.
 */
function insertedBetween({ arrivalFrom, arrivalTo }: Region): Fragment[] {
  const bound = (operator: string, ms: number | null, name: string): Fragment[] =>
    ms === null
      ? []
      : [
          {
            sql: `inserted_at ${operator} fromUnixTimestamp64Milli({${name}:Int64}, 'UTC') OR inserted_at IS NULL`,
            params: { [name]: ms },
          },
        ];
  return [...bound('>=', arrivalFrom, 'inserted_from'), ...bound('<', arrivalTo, 'inserted_to')];
}
