import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { postgresWrites } from './writes/postgres.ts';

/**
 * Tables in a Postgres server; contract.md §5. User, password, host and port belong to the integration;
 * old exports may still carry them inline. The loader is not written yet.
 */
export const postgres: Destination = {
  type: 'Postgres',
  title: 'Postgres',
  config: Type.Object({
    database: Type.String(),
    schema: Type.Optional(Type.String({ description: 'Default: public.' })),
    table_name: Type.Optional(Type.String({ description: 'Default: events.' })),
    has_self_signed_cert: Type.Optional(Type.Boolean({ description: 'Default: false.' })),
    user: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
    host: Type.Optional(Type.String()),
    port: Type.Optional(Type.Integer({ description: 'Default: 5432.' })),
  }),
  secretKeys: ['user', 'password'],
  integration: { kind: 'postgresql', inline: true },
  check: () => null,
  accepts: postgresWrites,
  files: () => null,
  testSteps: null,
  open: null,
};
