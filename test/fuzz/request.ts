import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { Operation, Parameter } from './document.ts';
import { mutated, mutation } from './mutate.ts';
import { INTEGRATIONS, JOBS, PLUGIN_CONFIGS, SECRET } from './samples.ts';
import { type Kind, reference, referenceTo } from './stock.ts';
import { fitting, odd } from './values.ts';

/** One request before references become ids. */
export interface Request {
  /** The operation asked, when method and path are its own; null = anything. */
  readonly operation: Operation | null;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
}

/** Credentials that requests show; `narrow` may read batch exports only. */
export interface Keys {
  readonly full: string;
  readonly narrow: string;
  readonly project: string;
}

/** Requests to all operations alike: most nearly right, some far from it. */
export function requestTo(operations: readonly Operation[], keys: Keys): fc.Arbitrary<Request> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.oneof(...operations.map((operation) => requestOf(operation, keys))) },
    { weight: 1, arbitrary: anywhere(operations, keys) },
  );
}

function requestOf(operation: Operation, keys: Keys): fc.Arbitrary<Request> {
  return fc
    .record({
      path: pathOf(operation),
      query: operation.id.match(/^capture_.*_retrieve$/)
        ? capturedInUrl(keys)
        : queryOf(operation.parameters.filter((one) => one.in === 'query')),
      sent: bodyOf(operation, keys),
      credentials: credentials(keys),
      method: fc.oneof(
        { weight: 20, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.constantFrom('HEAD', 'PUT', 'OPTIONS', 'TRACE', 'DELETE', 'QUERY') },
      ),
    })
    .map(({ path, query, sent, credentials, method }) => ({
      operation: method === null && !path.includes('//') ? operation : null,
      method: method ?? operation.method,
      path: path + (query === '' ? '' : `?${query}`),
      headers: { ...sent.headers, ...credentials },
      body: sent.body,
    }));
}

const KINDS: Readonly<Record<string, Kind>> = {
  project_id: 'project',
  organization_id: 'organization',
  batch_export_id: 'export',
  plugin_config_id: 'pluginConfig',
};

/** What an `{id}` names is told by the folder before it. */
function kindOf(path: string, name: string): Kind {
  if (name === 'batch_export_id') {
    if (path.includes('/runs/{id}')) return 'runExport';
    if (path.includes('/backfills/{id}')) return 'backfillExport';
  }
  if (name === 'plugin_config_id' && path.includes('/historical_exports/{id}')) return 'jobConfig';
  if (name !== 'id') return KINDS[name] ?? 'export';
  if (path.includes('/runs/{id}')) return 'run';
  if (path.includes('/backfills/{id}')) return 'backfill';
  if (path.includes('/integrations/{id}')) return 'compatible';
  if (path.includes('/personal_api_keys/{id}')) return 'key';
  if (path.includes('/historical_exports/{id}')) return 'job';
  if (path.includes('/plugins/{id}')) return 'plugin';
  if (/\/(plugin_configs|app_metrics)\/\{id\}/.test(path)) return 'pluginConfig';
  return 'export';
}

function pathOf(operation: Operation): fc.Arbitrary<string> {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  const real = fc.nat(30).map((n) => names.map((name) => referenceTo(kindOf(operation.path, name), n)));
  const wild = fc.tuple(
    ...names.map((name) =>
      fc.oneof(
        { weight: 3, arbitrary: reference(kindOf(operation.path, name)) },
        // An empty piece would make it the path of another operation.
        { weight: 1, arbitrary: segment.filter((piece) => piece !== '') },
      ),
    ),
  );
  return fc
    .tuple(
      fc.oneof({ weight: 5, arbitrary: real }, { weight: 1, arbitrary: wild }),
      fc.constantFrom('/', '', '/'),
    )
    .map(([values, slash]) => {
      const filled = names.reduce(
        (path, name, i) => path.replace(`{${name}}`, () => values[i] ?? ''),
        operation.path,
      );
      return filled.replace(/\/$/, '') + slash;
    });
}

/** As it stands in a URL; references stay what they are. */
function inUrl(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /^<<.*>>$/.test(text) ? text : encodeURIComponent(text.toWellFormed());
}

/** One piece of a path, as it stands in the URL. */
const segment = fc.oneof(
  fc.constantFrom(
    '@current',
    '0',
    '-1',
    '2147483648',
    '9'.repeat(40),
    '%00',
    '%2F',
    '%ff',
    '%',
    '%zz',
    '..',
    '.',
    '',
  ),
  fc.constantFrom(
    '__proto__',
    'null',
    'true',
    'a'.repeat(1200),
    '\xff\xfe',
    '[object%20Object]',
    '1;2',
    '1+1',
  ),
  fc.uuid(),
  odd.map(inUrl),
);

function anywhere(operations: readonly Operation[], keys: Keys): fc.Arbitrary<Request> {
  const pieces = fc.oneof(
    segment,
    fc.constantFrom(...new Set(operations.flatMap(({ path }) => path.split('/')))),
  );
  return fc
    .record({
      method: fc.constantFrom(
        'GET',
        'HEAD',
        'POST',
        'PUT',
        'PATCH',
        'DELETE',
        'OPTIONS',
        'TRACE',
        'PROPFIND',
      ),
      parts: fc.array(pieces, { maxLength: 7 }),
      body: fc.option(fc.uint8Array({ maxLength: 200 })),
      credentials: credentials(keys),
    })
    .map(({ method, parts, body, credentials }) => ({
      operation: null,
      method,
      path: `/${parts.join('/').replaceAll(/[^\x21-\x7e\x80-\xff]/g, '')}`,
      headers: credentials,
      body,
    }));
}

function queryOf(parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const fits = parameters.map(({ name, schema }) =>
    fc
      .option(fc.oneof({ weight: 8, arbitrary: fitting(schema, name) }, { weight: 1, arbitrary: odd }))
      .map((value) => (value === null ? [] : [`${name}=${inUrl(value)}`])),
  );
  const names = [
    ...parameters.map(({ name }) => name),
    'x',
    '__proto__',
    'personal_api_key%00',
    'token',
    'data',
    'ip',
  ];
  const extra = fc
    .tuple(
      fc.constantFrom(...names),
      fc.oneof(odd.map(inUrl), fc.constantFrom('%ff', '%', '&&', '=', '%c0%80', '+', '#')),
    )
    .map(([name, value]) => `${name}=${value}`);
  return fc
    .tuple(
      fc.tuple(...fits),
      fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.array(extra, { maxLength: 3 })),
    )
    .map(([known, more]) => [...known.flat(), ...more].join('&'));
}

interface Sent {
  readonly body: string | Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

const NOTHING: Sent = { body: null, headers: {} };
const json = (body: string | Uint8Array): Sent => ({ body, headers: { 'content-type': 'application/json' } });

function bodyOf(operation: Operation, keys: Keys): fc.Arbitrary<Sent> {
  if (operation.method === 'GET') {
    return fc.oneof(
      { weight: 20, arbitrary: fc.constant(NOTHING) },
      { weight: 1, arbitrary: fc.constant(json('{')) },
    );
  }
  const value = valueFor(operation, keys);
  const right = value.map((sent) => json(JSON.stringify(sent)));
  const bent = fc
    .tuple(value, fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([sent, mutations]) => json(JSON.stringify(mutated(sent, mutations)) ?? ''));
  return fc.oneof(
    { weight: 8, arbitrary: right },
    { weight: 10, arbitrary: bent },
    { weight: 3, arbitrary: fc.tuple(right, broken).map(([sent, breakIt]) => breakIt(String(sent.body))) },
    { weight: 1, arbitrary: fc.constant(NOTHING) },
  );
}

function valueFor(operation: Operation, keys: Keys): fc.Arbitrary<unknown> {
  if (operation.id.startsWith('capture_')) return captured(keys);
  if (operation.id.endsWith('integrations_create')) {
    return fc
      .tuple(fc.constantFrom(...Object.values(INTEGRATIONS)), fc.nat(1_000_000))
      .map(([sample, n]) => ({ ...sample, config: { ...sample.config, name: `fuzz ${n}` } }));
  }
  if (operation.id.endsWith('plugin_configs_create')) return fc.constantFrom(...PLUGIN_CONFIGS);
  if (operation.id.endsWith('plugin_configs_job_create')) return fc.record({ job: fc.constantFrom(...JOBS) });
  if (/backfills?_create$/.test(operation.id)) return fc.oneof(pastHours, fitting(operation.body ?? {}));
  return operation.body ? fitting(operation.body) : fc.constant({});
}

const HOUR = 3_600_000;
/** A range that an hourly export can make up for. */
const pastHours = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 }))
  .map(([ago, hours]) => {
    const start = (Math.floor(Date.now() / HOUR) - ago - hours) * HOUR;
    return { start_at: new Date(start).toISOString(), end_at: new Date(start + hours * HOUR).toISOString() };
  });

/** What SDKs send, with properties from anywhere. */
function captured({ project }: Keys): fc.Arbitrary<unknown> {
  const event = fc.record({
    event: fc.constantFrom('$pageview', 'bought', '$identify'),
    distinct_id: fc.constantFrom('a', 'b'),
    uuid: fc.uuid({ version: 7 }),
    properties: fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
    timestamp: fc.constantFrom('2026-03-01T00:00:00Z', undefined),
  });
  return fc.oneof(
    fc.record({ api_key: fc.constant(project), batch: fc.array(event, { minLength: 1, maxLength: 3 }) }),
    event.map((one) => ({ ...one, token: project })),
    event.map((one) => [{ ...one, properties: { ...one.properties, token: project } }]),
  );
}

/** The oldest clients put events into the URL. */
const capturedInUrl = (keys: Keys): fc.Arbitrary<string> =>
  fc.tuple(captured(keys), fc.boolean(), queryOf([])).map(([value, packed, more]) => {
    const text = JSON.stringify(value);
    const data = encodeURIComponent(packed ? Buffer.from(text).toString('base64') : text);
    return `data=${data}&${more}`;
  });

/** What becomes of a body that was right, on a bad line or by a bad client. */
const broken: fc.Arbitrary<(body: string) => Sent> = fc.oneof(
  fc.constantFrom<(body: string) => Sent>(
    (body) => json(body.slice(0, body.length / 2)),
    (body) => json(`${body}${body}`),
    (body) => json(`\ufeff${body}`),
    (body) => json(body.replaceAll('"', "'")),
    (body) => json(body.replace('{', '{"__proto__":{"admin":true},"name":1,"name":2,')),
    (body) => json(body.replaceAll(/\d+/g, '1e999')),
    (body) =>
      json(
        Buffer.concat([
          Buffer.from(body.slice(0, 9)),
          Buffer.from([0xff, 0xc0, 0x80]),
          Buffer.from(body.slice(9)),
        ]),
      ),
    (body) => json(`${'['.repeat(50_000)}${body}`),
    () => json(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
    (body) => json(`${body.slice(0, -1)},"x":"${'y'.repeat(200_000)}"}`),
    (body) => json('\0'.repeat(body.length)),
    (body) => ({
      body: gzipSync(body),
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    }),
    (body) => ({ body, headers: { 'content-type': 'application/json', 'content-encoding': 'br' } }),
    (body) => ({
      body: Buffer.from(body, 'utf16le'),
      headers: { 'content-type': 'application/json; charset=utf-16' },
    }),
    (body) => ({ body, headers: { 'content-type': 'text/plain' } }),
    (body) => ({ body, headers: {} }),
    (body) => ({ body, headers: { 'content-type': 'x'.repeat(500) } }),
    (body) => ({ body, headers: { 'content-type': 'multipart/form-data; boundary=b' } }),
    // As a name, which answers show, it may not hold what no answer shows.
    (body) => ({
      body: `--b\r\ncontent-disposition: form-data; name="name"\r\n\r\n${body.replaceAll(SECRET, 'shown')}\r\n--b--\r\n`,
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    }),
    (body) => ({
      body: `data=${encodeURIComponent(body)}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
    (body) => ({
      body: 'name=a&name=b&destination=%ff&interval',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-was': String(body.length) },
    }),
  ),
);

/** In the header mostly; elsewhere, wrong, narrow or absent now and then. */
function credentials({ full, narrow, project }: Keys): fc.Arbitrary<Record<string, string>> {
  return fc.oneof(
    { weight: 20, arbitrary: fc.constant({ authorization: `Bearer ${full}` }) },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Record<string, string>>(
        {},
        { authorization: `Bearer ${narrow}` },
        { authorization: `Bearer ${project}` },
        { authorization: `Bearer phx_${SECRET}` },
        { authorization: 'Bearer' },
        { authorization: `Basic ${'a'.repeat(2000)}` },
        { authorization: `Bearer ${full}`, host: '\xff\xfe:99999999' },
        { authorization: `Bearer ${full}`, expect: '200-maybe' },
        {
          authorization: `Bearer ${full}`,
          'x-forwarded-host': '<script>',
          'x-http-method-override': 'DELETE',
        },
        {
          authorization: `Bearer ${full}`,
          accept: '\xff',
          range: 'bytes=0-',
          'if-none-match': '*',
          cookie: '=;=;',
        },
        { authorization: `Bearer ${full}`, origin: 'null\t', 'access-control-request-headers': '\x80' },
      ),
    },
  );
}
