import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kindOf } from '../contract/operation-paths.ts';
import type { ObjectKind } from '../contract/two-tenants.ts';
import { type Operation, readOperations, type Schema } from '../fuzz/document.ts';
import type { Served } from './served.ts';

const PACKAGES = join(import.meta.dirname, '../../node_modules');

interface Server extends Served {
  readonly url: string;
  readonly key: string;
}

/** The served OpenAPI document (contract.md §16): valid, named as clients expect, and what requests are checked by. */
export function descriptionSuite(server: () => Server): void {
  it('has nothing that a linter complains about', async () => {
    const { stdout } = await linted(server().file);
    const { problems } = JSON.parse(stdout) as {
      problems: { ruleId: string; message: string; location: { pointer: string }[] }[];
    };
    expect(problems.map((one) => `${one.ruleId} at ${one.location[0]?.pointer}: ${one.message}`)).toEqual([]);
  });

  it('has the paths and operation ids of a client of 2025', () => {
    const { operations } = server();
    const known = toolkitOperations();
    expect(known.length).toBeGreaterThan(40);
    const ours = known.map(({ id }) => {
      const operation = operations.get(id);
      return { id, method: operation?.method, path: operation?.path };
    });
    expect(ours).toEqual(known);
  });

  it.each([
    'file_download_batch_exports_count_rows_create',
    'environments_file_download_batch_exports_list',
    'environments_integrations_list',
    'integrations_destroy',
  ])('has %s', (id) => {
    expect(server().operations.has(id)).toBe(true);
  });

  it('is in the table of README.md, every path of it by its last part', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
    const [, rest = ''] = readme.split('\n## The API in one table\n');
    const [table = ''] = rest.split('\n## ');
    const paths = [...server().operations.values()].map(({ path }) => path);
    const last = (path: string) => path.split('/').findLast((part) => part !== '' && !part.startsWith('{'));
    const missing = paths.filter(
      (path) => !table.split(/[^\w/.@-]/).some((word) => word.split('/').includes(last(path) ?? '')),
    );
    expect(missing).toEqual([]);
  });

  it.each([
    ['/api/schema/', '*/*', 'application/yaml'],
    ['/api/schema', '', 'application/yaml'],
    ['/api/schema/', 'application/vnd.oai.openapi, application/yaml', 'application/yaml'],
    ['/api/schema.yaml', 'application/json', 'application/yaml'],
    ['/api/schema/', 'application/json', 'application/json'],
    ['/api/schema/?format=json', '*/*', 'application/json'],
    ['/api/schema.json', '*/*', 'application/json'],
  ])('GET %s with Accept "%s" is %s', async (path, accept, type) => {
    const answer = await fetch(`${server().url}${path}`, { headers: { accept } });
    expect(answer.headers.get('content-type')).toMatch(type);
    expect((await answer.text()).slice(0, 30)).toMatch(
      type.endsWith('json') ? /^\{"openapi"/ : /^openapi: 3\.1/,
    );
  });

  it('says what requests are checked by', async () => {
    const { url, key } = server();
    const operations = await readOperations(url);
    const ids = await objectsOf(url, key);
    const checks = operations
      .filter(({ path }) => path.includes('/projects/'))
      .filter(({ path }) => namedIn(path).every((name) => isPlace(name) || ids[kindOf(path, name)]))
      .flatMap(mistakes);
    expect(checks.length).toBeGreaterThan(25);
    const answers = await Promise.all(
      checks.map(async ({ operation, query, body }) => {
        const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
          isPlace(name) ? '@current' : (ids[kindOf(operation.path, name)] ?? ''),
        );
        const answer = await fetch(`${url}${path}?${query}`, {
          method: operation.method,
          headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
          ...(body === null ? {} : { body: JSON.stringify(body) }),
        });
        const envelope = (await answer.json()) as { code: string; attr: string | null };
        return [operation.id, { status: answer.status, code: envelope.code, attr: envelope.attr }];
      }),
    );
    expect(answers).toEqual(
      checks.map(({ operation, code, attr }) => [operation.id, { status: 400, code, attr }]),
    );
  });
}

const namedIn = (path: string) => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
const isPlace = (name: string) => /^(project|organization)_id$/.test(name);

/** What is not there answers 404 before a body is looked at: one export and one app that are there. */
async function objectsOf(url: string, key: string): Promise<Partial<Record<ObjectKind, string>>> {
  const create = async (path: string, body: object): Promise<string> => {
    const answer = await fetch(`${url}/api/projects/@current/${path}/`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(201);
    return String(((await answer.json()) as { id: string | number }).id);
  };
  const destination = { type: 'NoOp', config: {} };
  return {
    export: await create('batch_exports', { name: 'checked', interval: 'hour', paused: true, destination }),
    app: await create('plugin_configs', { plugin: 1, config: { url: 'http://127.0.0.1:9/' } }),
  };
}

interface Mistake {
  readonly operation: Operation;
  readonly query: string;
  readonly body: unknown;
  readonly code: string;
  readonly attr: string;
}

/** Requests that the description forbids, each in one way, and the error that contract.md §1.4 wants. */
function mistakes(operation: Operation): Mistake[] {
  const properties = Object.entries(operation.body?.properties ?? {});
  const required = properties.find(([name]) => operation.body?.required?.includes(name))?.[0];
  const before = properties.slice(
    0,
    properties.findIndex(([name]) => name === required),
  );
  const inBody = (required === undefined ? properties : before).flatMap(([name, schema]) =>
    wrong(schema).map(({ value, code }) => ({
      operation,
      query: '',
      body: { [name]: value },
      code,
      attr: name,
    })),
  );
  const needed = operation.parameters
    .filter((each) => each.in === 'query' && each.required)
    .map((each) => each.name);
  const inQuery = operation.parameters
    .filter((parameter) => parameter.in === 'query' && !('x-lenient' in parameter.schema))
    .flatMap(({ name, schema }) =>
      wrong(schema.items ?? schema).map(({ value, code }) => ({
        operation,
        query: [
          ...needed.filter((other) => other !== name).map((other) => `${other}=x`),
          `${name}=${value}`,
        ].join('&'),
        body: null,
        code,
        attr: schema.items ? `${name}__0` : name,
      })),
    );
  const missing =
    required === undefined ? [] : [{ operation, query: '', body: {}, code: 'required', attr: required }];
  return [...missing, ...inBody, ...inQuery];
}

function wrong({ enum: choices, minimum, maximum, anyOf }: Schema): { value: unknown; code: string }[] {
  const [first, second] = anyOf ?? [];
  if (first && second?.type === 'null') return wrong(first);
  return [
    ...(choices ? [{ value: 'none of these', code: 'invalid_choice' }] : []),
    ...(minimum === undefined ? [] : [{ value: minimum - 1, code: 'min_value' }]),
    ...(maximum === undefined ? [] : [{ value: maximum + 1, code: 'max_value' }]),
  ];
}

/** Batch exports, runs and backfills, as the types of PostHog's client name them. */
function toolkitOperations(): { id: string; method: string; path: string }[] {
  const folder = join(PACKAGES, '@posthog/agent-toolkit/dist');
  const file = readdirSync(folder).find((name) => /^types-.*\.d\.ts$/.test(name)) ?? '';
  const types = readFileSync(join(folder, file), 'utf8');
  const pattern =
    /type [a-z]+_(\w+?)(?:_\d)? = \{\s+method: '(\w+)';\s+path: '(\/api\/(?:projects|environments)\/[^']*batch_exports[^']*)'/g;
  return [...types.matchAll(pattern)].map(([, name = '', method = '', path = '']) => ({
    id: name.toLowerCase(),
    method: method.toLowerCase(),
    path,
  }));
}

/** The linter exits with 1 when it finds something; then, too, it prints what. */
function linted(file: string): Promise<{ stdout: string }> {
  const cli = join(PACKAGES, '@redocly/cli/bin/cli.js');
  const config = join(import.meta.dirname, '../../redocly.yaml');
  const options = ['lint', file, '--config', config, '--format', 'json'];
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...options], { env, maxBuffer: 2 ** 26 }, (_, stdout) =>
      resolve({ stdout }),
    );
  });
}
