import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SCOPE_OBJECTS } from '../../src/accounts/scopes.ts';
import { type Operation, readOperations } from '../fuzz/document.ts';
import type { Reply } from '../fuzz/send.ts';
import {
  type Area,
  areaOf,
  fill,
  isUnsafe,
  kindOf,
  objectsOf,
  type Place,
  titleOf,
} from './operation-paths.ts';
import { MARK, openTwoTenants, type TwoTenants } from './two-tenants.ts';

/**
 * contract.md §1.2 and §1.3: every operation of the API description, asked by those who may not. New endpoints are in it by
 * themselves; one whose path names an object of a new kind gets a line
 * in `KINDS` of operation-paths.ts.
 */

let tenants: TwoTenants;
let operations: Operation[];
let before: Awaited<ReturnType<TwoTenants['rows']>>;
/** Of the project that is looked at: what no other project's people may read. */
let privateTexts: string[];

beforeAll(async () => {
  tenants = await openTwoTenants();
  operations = (await readOperations(tenants.url)).filter(({ scope }) => scope !== 'public');
  const { projectId, objects } = tenants;
  const project = await tenants.accounts.listProjects();
  const token = project.find(({ id }) => id === projectId)?.api_token ?? '';
  privateTexts = [MARK, token, objects.export, objects.run, objects.backfill, objects.download];
  // The lines that the runs left are written a moment after them.
  await vi.waitFor(
    async () => {
      const last = before;
      before = await tenants.rows();
      expect(before).toEqual(last);
    },
    { timeout: 20_000, interval: 500 },
  );
});
afterAll(() => tenants?.close());

/** A body is sent where one is expected, and it is a bad one: whoever may not enter learns nothing about bodies. */
const bodyFor = (operation: Operation): string | undefined => (operation.body ? '[]' : undefined);

type Ask = (operation: Operation) => Promise<Reply>;

const withHeaders =
  (headers: () => Readonly<Record<string, string>>, place?: () => Place): Ask =>
  (operation) =>
    tenants.ask(operation.method, fill(operation.path, tenants, place?.()), headers(), bodyFor(operation));

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const codeOf = ({ text }: Reply): unknown => (JSON.parse(text) as { code: unknown }).code;

type Codes = Readonly<Record<number, string | readonly string[]>>;

const CODES: Codes = {
  400: ['invalid_input', 'invalid_choice', 'required'],
  401: 'not_authenticated',
  403: 'permission_denied',
  404: 'not_found',
};

/** Asks all that are chosen; each must answer one of `statuses`, with nothing private in it, and nothing may be changed. */
async function expectAll(
  chosen: readonly Operation[],
  ask: Ask,
  expected: (operation: Operation) => readonly number[],
  codes: Codes = CODES,
): Promise<void> {
  expect(chosen.length).toBeGreaterThan(0);
  const answers = await Promise.all(
    chosen.map(async (operation) => ({ operation, reply: await ask(operation) })),
  );
  for (const { operation, reply } of answers) {
    const title = `${titleOf(operation)}: ${reply.status} ${reply.text.slice(0, 300)}`;
    expect(expected(operation), title).toContain(reply.status);
    if (reply.status >= 400) expect([codes[reply.status]].flat(), title).toContain(codeOf(reply));
    const told = reply.text + JSON.stringify(reply.headers);
    for (const text of privateTexts) expect(told, title).not.toContain(text);
  }
  expect(await tenants.rows()).toEqual(before);
}

/** All answer alike, for each area of paths. */
const by =
  (statuses: Readonly<Record<Area, readonly number[]>>) =>
  (operation: Operation): readonly number[] =>
    statuses[areaOf(operation)];

/** Lists below an object: of one that is not the project's they are empty (contract.md §7.2, §8.2). */
const EMPTY = /\/batch_exports\/\{\w+\}\/(runs|backfills)\/$/;
/** They do not ask whether their plugin config exists (contract.md §11.1), and tell of none but the project's. */
const UNASKED = /\/app_metrics\//;

const notFound = ({ method, path }: Operation): readonly number[] => {
  if (method === 'GET' && EMPTY.test(path)) return [200];
  return method === 'GET' && UNASKED.test(path) ? [200, 400, 404] : [404];
};

describe('the ids are real', () => {
  it('the owner reads every object that the paths below name', async () => {
    const read = operations.filter(
      (operation) =>
        !isUnsafe(operation) && objectsOf(operation.path).every((name) => isKnown(operation, name)),
    );
    for (const operation of read.filter(({ path }) => objectsOf(path).length > 0 && !WANTS_MORE.test(path))) {
      const reply = await withHeaders(() => bearer(tenants.owner.key))(operation);
      expect([200, 302], `${titleOf(operation)}: ${reply.text}`).toContain(reply.status);
    }
    const [list] = operations.filter(({ id }) => id === 'batch_exports_list');
    const reply = list && (await withHeaders(() => bearer(tenants.owner.key))(list));
    expect(reply?.text).toContain(MARK);
  });

  /** Refused without a query of its own. */
  const WANTS_MORE = /\/error_details\/$/;
  const isKnown = ({ path }: Operation, name: string) => name === 'part' || kindOf(path, name) !== 'unknown';
});

describe('without a right to anything', () => {
  it('no key: 401', () =>
    expectAll(
      operations,
      withHeaders(() => ({})),
      () => [401],
    ));

  it.each([
    ['unknown', 'phx_nobody_has_this_key_0123456789'],
    ['a project’s', 'TOKEN'],
  ])('a bad key, %s: 401', (_what, key) =>
    expectAll(
      operations,
      withHeaders(() => bearer(key === 'TOKEN' ? String(privateTexts[1]) : key)),
      () => [401],
      { 401: 'authentication_failed' },
    ),
  );

  it('a session of nobody: 401', () => {
    const cookie = `sessionid=${'x'.repeat(43)}; posthog_csrftoken=x`;
    return expectAll(
      operations,
      withHeaders(() => ({ cookie, 'x-csrftoken': 'x' })),
      () => [401],
    );
  });
});

describe('a stranger of another organization', () => {
  /** What is not of a tenant, like their own keys, is theirs to change. */
  const notTheirOwn = () =>
    operations.filter((operation) => areaOf(operation) !== 'own' || objectsOf(operation.path).length > 0);
  const refused = by({ project: [403], organization: [403, 404], own: [404] });

  it('with a key of all scopes: 403, or 404 outside projects', () =>
    expectAll(
      notTheirOwn(),
      withHeaders(() => bearer(tenants.stranger.key)),
      refused,
    ));

  it('with a session: the same', () =>
    expectAll(
      notTheirOwn(),
      withHeaders(() => ({ ...tenants.stranger.cookies })),
      refused,
    ));

  it('whose session lacks the CSRF token: 403', () => {
    const { cookie } = tenants.stranger.cookies;
    return expectAll(
      operations.filter(isUnsafe),
      withHeaders(() => ({ cookie })),
      () => [403],
    );
  });

  it('reads what is theirs, and nothing else is in it', () =>
    expectAll(
      operations.filter((operation) => areaOf(operation) === 'own' && !isUnsafe(operation)),
      withHeaders(() => bearer(tenants.stranger.key)),
      (operation) => (objectsOf(operation.path).length > 0 ? [404] : [200]),
    ));

  it('in their own project finds nobody else’s objects: 404', () =>
    expectAll(
      operations.filter(({ path }) => path.includes('{project_id}') && objectsOf(path).length > 0),
      withHeaders(
        () => bearer(tenants.stranger.key),
        () => ({ projectId: tenants.stranger.projectId }),
      ),
      notFound,
    ));
});

describe('a member, through another project of the organization', () => {
  const inSecond = () => ({ projectId: tenants.second.projectId });
  const belowObjects = () =>
    operations.filter(({ path }) => path.includes('{project_id}') && objectsOf(path).length > 0);

  it('an object of the first: 404', () =>
    expectAll(
      belowObjects(),
      withHeaders(() => bearer(tenants.owner.key), inSecond),
      notFound,
    ));

  it('its child below an export of the second: 404', () =>
    expectAll(
      belowObjects().filter(
        ({ path }) => objectsOf(path).length > 1 && kindOf(path, 'batch_export_id') === 'export',
      ),
      withHeaders(
        () => bearer(tenants.owner.key),
        () => ({ ...inSecond(), exportId: tenants.second.exportId }),
      ),
      () => [404],
    ));

  it('lists hold nothing of the first', () =>
    expectAll(
      operations.filter(
        (operation) =>
          areaOf(operation) === 'project' && !isUnsafe(operation) && objectsOf(operation.path).length === 0,
      ),
      withHeaders(() => bearer(tenants.owner.key), inSecond),
      ({ path }) => (path.endsWith('/test/') ? [400] : [200]),
      { 400: 'required' },
    ));

  it.each([
    ['POST', 'batch_exports/', 'destination__integration'],
    ['POST', 'batch_exports/run_test_step_new/', 'destination__integration'],
    ['PATCH', 'batch_exports/EXPORT/', 'destination__integration'],
    ['PUT', 'batch_exports/EXPORT/', 'destination__integration'],
    ['POST', 'batch_exports/EXPORT/run_test_step/', 'destination__integration'],
  ])('%s %s cannot use an integration of the first', async (method, path, attr) => {
    const { second, objects, owner } = tenants;
    const url = `/api/projects/${second.projectId}/${path.replace('EXPORT', second.exportId)}`;
    const config = { bucket_name: 'b', region: 'r', prefix: 'p' };
    const destination = { type: 'S3Compatible', integration: Number(objects.integration), config };
    const body = JSON.stringify({ name: 'n', interval: 'hour', destination });
    const reply = await tenants.ask(method, url, bearer(owner.key), body);
    expect(JSON.parse(reply.text)).toMatchObject({ code: 'does_not_exist', attr });
    expect(reply.text).not.toContain(MARK);
    expect(await tenants.rows()).toEqual(before);
  });
});

describe('a key of the owner', () => {
  /** One that is made for a test and gone before its tables are compared. */
  async function withKey(
    scopes: readonly string[],
    limits: { projects?: readonly number[]; organizations?: readonly string[] },
    act: (ask: Ask) => Promise<void>,
  ): Promise<void> {
    const { userId } = tenants.owner;
    const { key } = await tenants.accounts.createKey({
      userId,
      label: 'of a test',
      scopes,
      projects: limits.projects ?? null,
      organizations: limits.organizations ?? null,
    });
    before = await tenants.rows();
    await act(withHeaders(() => bearer(key)));
  }

  const objectsOfScopes = () => [
    ...new Set(operations.flatMap(({ scope }) => (scope?.includes(':') ? [scope.split(':')[0] ?? ''] : []))),
  ];

  it('without the scope: 403', async () => {
    for (const object of objectsOfScopes()) {
      const others = objectsOfScopes().flatMap((name) => (name === object ? [] : [`${name}:write`]));
      const needing = (action: string) => operations.filter(({ scope }) => scope === `${object}:${action}`);
      await withKey(['other:write', ...others], {}, (ask) =>
        expectAll([...needing('read'), ...needing('write')], ask, () => [403]),
      );
      if (needing('write').length === 0) continue;
      await withKey([...others, `${object}:read`], {}, (ask) =>
        expectAll(needing('write'), ask, () => [403]),
      );
    }
    const everything = operations.filter(({ scope }) => scope === '*');
    await withKey(
      objectsOfScopes().flatMap((name) => [`${name}:write`]),
      {},
      (ask) => expectAll(everything, ask, () => [403]),
    );
  });

  it('limited to the other project: 403, and no list holds the first', () =>
    withKey(['*'], { projects: [tenants.second.projectId] }, async (ask) => {
      await expectAll(
        operations.filter((operation) => areaOf(operation) === 'project' || isUnsafe(operation)),
        ask,
        () => [403],
      );
      for (const path of ['/api/users/@me/', `/api/organizations/${tenants.organizationId}/projects/`]) {
        const [operation] = operations.filter((one) => fill(one.path, tenants) === path && !isUnsafe(one));
        const reply = operation && (await ask(operation));
        expect(reply?.status).toBe(200);
        expect(reply?.text).not.toContain(privateTexts[1]);
      }
    }));

  it('limited to another organization: 403', () =>
    withKey(['*'], { organizations: [tenants.otherOrganizationId] }, (ask) =>
      expectAll(
        operations.filter((operation) => areaOf(operation) !== 'own' || isUnsafe(operation)),
        ask,
        () => [403],
      ),
    ));
});

describe('§1.2: the object before the request’s body and query', () => {
  const UNKNOWN = '00000000-0000-4000-8000-000000000000';

  it.each([
    ['not an object', '[]', ''],
    ['no JSON', '{"name": ', ''],
    ['of a type nobody knows', '<x/>', ''],
    ['a bad query', undefined, '?limit=x&status=x&ordering=x'],
  ])('an object that is not there, %s: 404', (_what, body, query) =>
    expectAll(
      operations.filter(({ path }) => path.includes('{project_id}') && objectsOf(path).length > 0),
      ({ method, path }) =>
        tenants.ask(
          method,
          fill(path, tenants, { objectId: UNKNOWN }) + query,
          { ...bearer(tenants.owner.key), ...(body === '<x/>' && { 'content-type': 'text/xml' }) },
          method === 'GET' ? undefined : body,
        ),
      // A list without an object has only its query to judge.
      (operation) => [
        ...notFound(operation),
        ...(!isUnsafe(operation) && EMPTY.test(operation.path) ? [400] : []),
      ],
    ),
  );
});

describe('§4.2: methods that a path does not have', () => {
  const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];

  it('405 in the envelope, with those it has', async () => {
    const document = await readOperations(tenants.url);
    const byPath = Map.groupBy(document, ({ path }) => path);
    for (const [path, own] of byPath) {
      const has = own.map(({ method }) => method);
      // Capture answers to preflight requests, and HEAD comes with GET.
      const others = own.some(({ id }) => id.startsWith('capture_')) ? ['OPTIONS'] : [];
      const lacks = METHODS.filter(
        (method) => ![...has, ...others, ...(has.includes('GET') ? ['HEAD'] : [])].includes(method),
      );
      const replies = lacks.map((method) =>
        tenants.ask(
          method,
          fill(path, tenants),
          bearer(tenants.owner.key),
          method === 'PUT' ? '[' : undefined,
        ),
      );
      for (const [i, reply] of (await Promise.all(replies)).entries()) {
        const title = `${lacks[i]} ${path}: ${reply.text}`;
        expect(reply.status, title).toBe(405);
        if (lacks[i] !== 'HEAD') {
          expect(JSON.parse(reply.text), title).toMatchObject({ code: 'method_not_allowed', attr: null });
        }
        for (const method of has) expect(reply.headers.allow, title).toContain(method);
      }
    }
  });

  it('whoever may not enter is told so first', async () => {
    const path = `/api/projects/${tenants.projectId}/batch_exports/`;
    for (const method of ['DELETE', 'PROPFIND']) {
      expect((await tenants.ask(method, path, {})).status).toBe(401);
      expect((await tenants.ask(method, path, bearer(tenants.stranger.key))).status).toBe(403);
    }
    const nowhere = await tenants.ask('PROPFIND', '/api/nowhere/', bearer(tenants.owner.key));
    expect(nowhere.status).toBe(404);
  });
});

describe('§1.3', () => {
  it('scopes are about what the command line knows', () => {
    const objects = operations.flatMap(({ scope }) => (scope?.includes(':') ? [scope.split(':')[0]] : []));
    expect(new Set(objects)).toEqual(new Set(SCOPE_OBJECTS));
  });

  const GROUPS: readonly (readonly [RegExp, string])[] = [
    [/\/(batch_exports|file_download_batch_exports)\//, 'batch_export'],
    [/\/integrations\//, 'integration'],
    [/\/app_metrics\//, 'plugin'],
  ];

  it('each group of endpoints has its scope', () => {
    for (const operation of operations) {
      const group = GROUPS.find(([pattern]) => pattern.test(operation.path));
      if (!group) continue;
      expect(operation.scope, titleOf(operation)).toBe(
        `${group[1]}:${isUnsafe(operation) ? 'write' : 'read'}`,
      );
    }
  });
});
