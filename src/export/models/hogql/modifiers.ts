import { SluiceError } from '../../../errors/error.ts';

export type Modifiers = Readonly<Record<string, unknown>>;

type Check = (value: unknown) => string | null;

const flag: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false');
const number: Check = (value) => (typeof value === 'number' ? null : 'must be a number');
const text: Check = (value) => (typeof value === 'string' ? null : 'must be a text');
const list: Check = (value) =>
  Array.isArray(value) && value.every((item) => item !== null && typeof item === 'object')
    ? null
    : 'must be a list of objects';
const oneOf =
  (...names: readonly string[]): Check =>
  (value) =>
    names.includes(value as string) ? null : `must be one of ${names.join(', ')}`;

/** The modifiers that clients know (contract.md §4.3, "closed key set"). They are kept; nothing here depends on them. */
const MODIFIERS: Readonly<Record<string, Check>> = {
  bounceRateDurationSeconds: number,
  bounceRatePageViewMode: oneOf('count_pageviews', 'uniq_urls', 'uniq_page_screen_autocaptures'),
  convertToProjectTimezone: flag,
  customChannelTypeRules: list,
  dataWarehouseEventsModifiers: list,
  debug: flag,
  formatCsvAllowDoubleQuotes: flag,
  inCohortVia: oneOf('auto', 'leftjoin', 'subquery', 'leftjoin_conjoined'),
  materializationMode: oneOf('auto', 'legacy_null_as_string', 'legacy_null_as_null', 'disabled'),
  optimizeJoinedFilters: flag,
  optimizeProjections: flag,
  personsArgMaxVersion: oneOf('auto', 'v1', 'v2'),
  personsJoinMode: oneOf('inner', 'left'),
  personsOnEventsMode: oneOf(
    'disabled',
    'person_id_no_override_properties_on_events',
    'person_id_override_properties_on_events',
    'person_id_override_properties_joined',
  ),
  propertyGroupsMode: oneOf('enabled', 'disabled', 'optimized'),
  revenueAnalyticsPersonsJoinMode: oneOf('id', 'email', 'custom'),
  revenueAnalyticsPersonsJoinModeCustom: text,
  s3TableUseInvalidColumns: flag,
  sessionTableVersion: oneOf('auto', 'v1', 'v2', 'v3'),
  sessionsV2JoinMode: oneOf('string', 'uuid'),
  timings: flag,
  useMaterializedViews: flag,
  usePreaggregatedIntermediateResults: flag,
  usePreaggregatedTableTransforms: flag,
  usePresortedEventsTable: flag,
  useWebAnalyticsPreAggregatedTables: flag,
};

/** Throws `invalid_input` at hogql_modifiers, `key: reason` of the first bad key. Null stands for a key not sent. */
export function checkModifiers(modifiers: Modifiers): void {
  for (const [key, value] of Object.entries(modifiers)) {
    const check = Object.hasOwn(MODIFIERS, key) ? MODIFIERS[key] : undefined;
    const problem = check ? value !== null && check(value) : 'is not known';
    if (!problem) continue;
    const detail = `${key.slice(0, 100)}: ${problem}`;
    throw new SluiceError('invalid_input', { attr: 'hogql_modifiers', detail });
  }
}
