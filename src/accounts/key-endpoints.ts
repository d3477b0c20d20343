import { Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { type Caller, type Endpoint, endpoint } from '../http/endpoint.ts';
import { limitOffsetQuery, listPage, pageSchema } from '../http/pagination.ts';
import { formatMoment, formatTimestamp } from '../http/timestamps.ts';
import type { Accounts } from './accounts.ts';
import type { KeyInfo } from './personal-api-keys.ts';

const Uuid = Type.String({ format: 'uuid' });
const Moment = Type.String({ format: 'date-time' });

/** A key is read whole for each request. */
const MOST_LIMITS = { maxItems: 1_000 };

const KeySchema = Type.Object({
  id: Uuid,
  label: Type.String(),
  mask_value: Type.String({ description: 'Enough of the key to tell it from others.' }),
  value: Type.Union([Type.String(), Type.Null()], {
    description: 'The key itself, in the answer to its creation only.',
  }),
  scopes: Type.Array(Type.String()),
  scoped_teams: Type.Array(Type.Integer()),
  scoped_organizations: Type.Array(Uuid),
  user_id: Type.Integer(),
  created_at: Moment,
  last_used_at: Type.Union([Moment, Type.Null()]),
});

/**
 * The caller's own keys, so that a running server needs no restart for a new one. Only an unlimited key
 * may use them: a narrower one could otherwise make itself a wider one.
 */
export function keyEndpoints(
  accounts: Pick<Accounts, 'createKey' | 'listKeys' | 'revokeKey'>,
): readonly Endpoint[] {
  const shared = { area: 'api', tag: 'accounts', scope: '*', unlimited: true } as const;
  const mine = async (caller: Caller) => {
    return (await accounts.listKeys(caller.userId)).filter((key) => key.revokedAt === null);
  };
  return [
    endpoint({
      ...shared,
      method: 'GET',
      path: '/personal_api_keys',
      operationId: 'personal_api_keys_list',
      summary: 'The caller’s keys, masked.',
      query: Type.Object(limitOffsetQuery),
      response: { 200: pageSchema(KeySchema) },
      handler: async ({ caller, url }) => {
        const keys = await mine(caller);
        const shown = keys.map((key) => present(key, null));
        return { status: 200, body: await listPage(url, shown) };
      },
    }),
    endpoint({
      ...shared,
      method: 'POST',
      path: '/personal_api_keys',
      operationId: 'personal_api_keys_create',
      summary: 'Make a key. It is shown in this answer and never again.',
      body: Type.Object({
        label: Type.String({ minLength: 1, maxLength: 40 }),
        scopes: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, maxItems: 100 }),
        scoped_teams: Type.Optional(Type.Union([Type.Array(Type.Integer(), MOST_LIMITS), Type.Null()])),
        scoped_organizations: Type.Optional(Type.Union([Type.Array(Uuid, MOST_LIMITS), Type.Null()])),
      }),
      response: { 201: KeySchema },
      handler: async ({ caller, body }) => {
        const { key, info } = await accounts.createKey({
          userId: caller.userId,
          label: body.label,
          scopes: body.scopes,
          projects: limits(body.scoped_teams),
          organizations: limits(body.scoped_organizations),
        });
        return { status: 201, body: present(info, key) };
      },
    }),
    endpoint({
      ...shared,
      method: 'DELETE',
      path: '/personal_api_keys/:id',
      operationId: 'personal_api_keys_destroy',
      summary: 'End a key at once.',
      response: { 204: null },
      handler: async ({ caller, params }) => {
        const key = (await mine(caller)).find(({ id }) => id === params.id);
        if (!key) throw new SluiceError('not_found');
        await accounts.revokeKey(key.id);
        return { status: 204 };
      },
    }),
  ];
}

/** As the original API: an empty list is no limit. */
const limits = <T>(list: readonly T[] | null | undefined): readonly T[] | null =>
  list?.length ? list : null;

const present = (key: KeyInfo, value: string | null) => ({
  id: key.id,
  label: key.label,
  mask_value: key.mask,
  value,
  scopes: key.scopes,
  scoped_teams: key.projects ?? [],
  scoped_organizations: key.organizations ?? [],
  user_id: key.userId,
  created_at: formatTimestamp(key.createdAt),
  last_used_at: formatMoment(key.lastUsedAt),
});
