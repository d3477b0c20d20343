import fc from 'fast-check';
import type { Schema } from './document.ts';
import { DESTINATIONS, OTHERS } from './samples.ts';
import { reference } from './stock.ts';

/** What any field, parameter or key may get instead of what belongs there. */
export const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    '',
    ' ',
    '\0',
    'a\0b',
    '\ud800',
    'x\udc00y',
    '__proto__',
    'constructor',
    'toString',
    '@current',
    'null',
    'NaN',
    '-1',
    '1e400',
    '../../etc/passwd',
    '%00',
    "'; DROP TABLE events; --",
    '{{7*7}}',
    '{year}',
    '{nope}',
    '\u202e\u200b\ufeff',
    '👩‍👩‍👧‍👦'.repeat(50),
    'x'.repeat(300),
  ),
  fc.constantFrom<unknown>(
    0,
    -0,
    -1,
    1,
    0.5,
    1e308,
    -1e308,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 53,
    2 ** 63,
    1e21,
    5e-324,
  ),
  fc.constantFrom<unknown>(
    '0000-01-01',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999Z',
    '10000-01-01T00:00:00Z',
    '+275760-09-13T00:00:00Z',
    '2026-02-30',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00+99:99',
    '-99999999999999999y',
    '-1d',
    '-7dStart',
    'all',
  ),
  fc.constantFrom<unknown>([], {}, [[]], [null], { '': '' }, [{}], { type: 'event' }),
  fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.double(),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(Number),
  fc.uuid(),
  fc.constantFrom(40, 99, 101, 2_000).map(nested),
);

/** A list in a list in a list … */
function nested(depth: number): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level++) value = level % 2 ? { a: value } : [value];
  return value;
}

const DAY = 86_400_000;
const day = (offset: number) => new Date(Date.now() - offset * DAY).toISOString().slice(0, 10);
const moment = (offset: number) => `${day(offset)}T00:00:00Z`;
const recent = fc.integer({ min: 0, max: 9 });
const time = fc.oneof(recent.map(moment), recent.map(day), fc.constantFrom('-7d', '-1h', '-1mStart', 'now'));

const NAMED: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  after: time,
  before: time,
  start: time,
  end: time,
  start_at: time,
  end_at: time,
  last_paused_at: time,
  timezone: fc.constantFrom(null, 'UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'US/Pacific'),
  ordering: fc.constantFrom('created_at', '-created_at', 'data_interval_start', '-start_at,created_at', 'x'),
  cursor: fc.oneof(
    fc.constantFrom('', 'bm9uc2Vuc2U', 'W10', 'WzAsMSwyXQ'),
    fc
      .tuple(fc.constantFrom(0, 1, 2, null), fc.option(fc.integer({ min: 0, max: 2e12 })), fc.uuid())
      .map((parts) => Buffer.from(JSON.stringify(parts)).toString('base64url')),
  ),
  level: fc.constantFrom('INFO', 'debug', 'INFO,ERROR', 'LOUD', ''),
  format: fc.constantFrom('json', 'yaml', 'xml'),
  instance_id: reference('run'),
  limit: fc.constantFrom(1, 2, 50, 100),
  offset: fc.constantFrom(0, 1, 5),
  label: fc.constantFrom('a', 'from the fuzz'),
  scopes: fc.constantFrom(['*'], ['batch_export:read'], ['batch_export:write', 'integration:read']),
  scoped_teams: fc.constantFrom(null, [], [1], [99]),
  scoped_organizations: fc.constantFrom(null, []),
  model: fc.constantFrom('events', 'events', 'events', 'persons', 'sessions', 'hogql'),
  hogql_query: fc.constantFrom(
    null,
    'SELECT 1 AS one',
    'SELECT event, count() AS n FROM events WHERE timestamp > {data_interval_start} GROUP BY event',
    'SELECT uuid FROM events WHERE uuid IN (SELECT id FROM cohorts)',
    'SELECT {x}',
    'SELECT ((event',
  ),
  filters: fc.constantFrom<unknown>(
    null,
    [],
    [{ key: '$browser', type: 'event', operator: 'exact', value: ['Firefox'] }],
    [{ key: 'email', type: 'person', operator: 'regex', value: '(' }],
    [{ type: 'hogql', key: '1 = 1' }],
  ),
  name: fc.constantFrom('fuzzed', 'ü', 'x'),
  destination: fc.constantFrom<unknown>(...DESTINATIONS, ...OTHERS),
  integration: fc.oneof(reference('compatible'), reference('aws')),
  primary_key: fc.constantFrom(null, ['uuid']),
  date_from: time,
  date_to: time,
  category: fc.constantFrom('exportEvents', 'webhook', 'none', ''),
  job_id: reference('job'),
  plugin: fc.constantFrom(1, 2, 3, 99),
  config: fc.constantFrom<unknown>(
    {},
    { url: 'http://127.0.0.1:9/' },
    { shape: 'single event' },
    '{"url":1}',
  ),
};

/** A value that fits a schema, and where the name says more than the schema, what that name wants. */
export function fitting(schema: Schema, name = ''): fc.Arbitrary<unknown> {
  const named = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (named) return named;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((option) => fitting(option)));
  switch (schema.type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1000, max: schema.maximum ?? 1000 });
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'string':
      return fc.string({ minLength: schema.minLength ?? 0, maxLength: 20 });
    case 'array':
      return fc.array(fitting(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 3 });
    case 'object':
      return fittingObject(schema);
    default:
      return fc.jsonValue();
  }
}

/** All that is required and little else: fields that exclude each other would refuse most of what has all. */
function fittingObject({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.entries(properties).map(([name, schema]) => [name, fitting(schema, name)] as const);
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  return fc
    .tuple(
      fc.record(Object.fromEntries(fields)),
      fc.subarray(optional, { maxLength: Math.min(2, optional.length) }),
    )
    .map(([all, chosen]) =>
      Object.fromEntries(
        Object.entries(all).filter(([name]) => required.includes(name) || chosen.includes(name)),
      ),
    );
}
