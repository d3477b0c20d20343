import type { Selectable } from 'kysely';
import { type Static, Type } from 'typebox';
import type { UsersTable } from '../database/tables.ts';

/** A person as other objects show them, `created_by` above all (contract.md §10). */
export const UserSchema = Type.Object({
  id: Type.Integer(),
  uuid: Type.String({ format: 'uuid' }),
  distinct_id: Type.String(),
  first_name: Type.String(),
  last_name: Type.String(),
  email: Type.String(),
  is_email_verified: Type.Union([Type.Boolean(), Type.Null()]),
  hedgehog_config: Type.Null(),
  role_at_organization: Type.Union([Type.String(), Type.Null()]),
});

export type User = Static<typeof UserSchema>;

export const toUser = (row: Selectable<UsersTable>): User => ({
  id: row.id,
  uuid: row.uuid,
  distinct_id: row.distinct_id,
  first_name: row.first_name,
  last_name: row.last_name,
  email: row.email,
  is_email_verified: true,
  hedgehog_config: null,
  role_at_organization: null,
});
