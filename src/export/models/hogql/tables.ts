/** What a name after FROM gives: its columns, or null when they are not known here and any name may be one. */
export interface Columns {
  readonly names: ReadonlySet<string> | null;
  /** What `*` stands for. */
  readonly star: readonly string[] | null;
}

/** Columns of `events` that have a value of their own; `*` is these. */
export const EVENT_FIELDS: readonly string[] = [
  'uuid',
  'event',
  'properties',
  'timestamp',
  'team_id',
  'distinct_id',
  'elements_chain',
  'created_at',
  '$session_id',
  '$window_id',
  'person_id',
  'person_mode',
  '$group_0',
  '$group_1',
  '$group_2',
  '$group_3',
  '$group_4',
];

/** Ways from an event to something else, and columns that are computed. */
const EVENT_RELATIONS = [
  'person',
  'person_properties',
  'pdi',
  'poe',
  'session',
  'override',
  'event_person_id',
  'event_issue_id',
  'issue_id',
  '$session_id_uuid',
  'elements_chain_href',
  'elements_chain_texts',
  'elements_chain_ids',
  'elements_chain_elements',
  ...[0, 1, 2, 3, 4].flatMap((index) => [`group_${index}`, `goe_${index}`]),
];

const events: Columns = { names: new Set([...EVENT_FIELDS, ...EVENT_RELATIONS]), star: EVENT_FIELDS };
const anything: Columns = { names: null, star: null };

/** What may stand after FROM (contract.md §4.3): fields of `events` are checked, those of the others are not. */
export const TABLES: ReadonlyMap<string, Columns> = new Map([
  ['events', events],
  ['persons', anything],
  ['sessions', anything],
]);
