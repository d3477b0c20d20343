import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UserSchema } from '../../src/accounts/user.ts';
import { integrationsEndpoints } from '../../src/integrations/endpoints.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { systemClock } from '../../src/work/clock.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { type Api, MASTER_KEY, seededBytes, startApi } from './start-api.ts';

/** Any request at all: no 5xx of our own making, no answer outside the envelope. */

let api: Api;

beforeAll(async () => {
  const guard = createHostGuard([], async () => [{ address: '93.184.216.34', family: 4 }]);
  api = await startApi(({ database, accounts }) =>
    integrationsEndpoints(
      {
        db: database.kysely,
        clock: systemClock,
        sealer: createSealer(['a secret for tests of at least 32 bytes'], seededBytes('any')),
        recordActivity: accounts.recordActivity,
        membershipLevel: accounts.membershipLevel,
        usedBy: async () => [],
        letGo: async () => {},
        problemWithHost: guard.problemWith,
      },
      { schema: UserSchema, users: accounts.users },
    ),
  );
});
afterAll(() => api.close());

const odd = fc.oneof(
  fc.constantFrom('@current', '1', '0', '-1', '2147483648', '%00', '%2F', '%ff', '..', 'null', '__proto__'),
  fc.uuid(),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
);
const path = fc.oneof(
  odd.map((id) => `/api/projects/${id}/integrations/`),
  odd.map((id) => `/api/environments/@current/integrations/${id}`),
  odd.map((id) => `/api/organizations/${id}/projects`),
  odd.map((id) => `/api/personal_api_keys/${id}`),
  fc.constantFrom('/api/personal_api_keys', '/api/projects/@current/integrations', '/api/users/@me'),
  fc.array(odd, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`),
);
const query = fc
  .array(fc.tuple(fc.constantFrom('limit', 'offset', 'kind', 'format', 'cursor', '__proto__', 'x'), odd), {
    maxLength: 4,
  })
  .map((pairs) =>
    pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`,
  );
const names = fc.constantFrom(
  'kind',
  'config',
  'name',
  'label',
  'scopes',
  'scoped_teams',
  'endpoint_url',
  '__proto__',
  'personal_api_key',
);
const field = fc.oneof(
  fc.constantFrom<unknown>(
    'aws-s3',
    's3-compatible',
    '*',
    '',
    ' ',
    '\0',
    '\ud800',
    null,
    true,
    0,
    -1,
    1e300,
    2 ** 31,
  ),
  fc.jsonValue(),
);
const body = fc.oneof(
  fc.dictionary(names, fc.oneof(field, fc.dictionary(names, field))).map((value) => JSON.stringify(value)),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
);
const type = fc.constantFrom(
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=b',
  'text/plain',
  'application/json; charset=latin1',
  'x',
);
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');
const key = fc.constantFrom(MASTER_KEY, MASTER_KEY, MASTER_KEY, null, 'phx_unknown');

it('every request is answered as promised', async () => {
  await fc.assert(
    fc.asyncProperty(
      method,
      path,
      query,
      body,
      type,
      key,
      async (how, where, asked, sent, contentType, who) => {
        const bodiless = how === 'GET' || how === 'HEAD';
        const reply = await api.call(how, where + asked, {
          key: who,
          headers: { 'content-type': contentType },
          ...(bodiless ? {} : { body: sent }),
        });
        expect(reply.status, reply.text).toBeLessThan(500);
        if (reply.status < 400 || how === 'HEAD') return;
        expect(Object.keys(reply.body).sort()).toEqual(['attr', 'code', 'detail', 'type']);
        expect(reply.body.type).toMatch(/^(validation_error|authentication_error|invalid_request)$/);
      },
    ),
    { seed: 20261123, numRuns: 1500 },
  );
});

it('every JSON value for every field of a creation, too', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('aws-s3', 's3-compatible'),
      fc.dictionary(names, field),
      async (kind, config) => {
        const reply = await api.call('POST', '/api/projects/@current/integrations/', {
          json: { kind, config },
        });
        expect([201, 400], reply.text).toContain(reply.status);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});
