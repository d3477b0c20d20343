import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { stepsToCome } from './test-steps.ts';
import { complete } from './writes/write.ts';

/** Tables in Snowflake; contract.md §5. The loader is not written yet. */
export const snowflake: Destination = {
  type: 'Snowflake',
  title: 'Snowflake',
  config: Type.Object({
    database: Type.String(),
    warehouse: Type.String(),
    schema: Type.String(),
    table_name: Type.Optional(Type.String({ description: 'Default: events.' })),
    role: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  }),
  secretKeys: ['user', 'password', 'private_key', 'private_key_passphrase'],
  integration: { kind: 'snowflake' },
  check: () => null,
  accepts: complete({ config: ['account', 'user', 'authentication_type'] }),
  files: () => null,
  testSteps: stepsToCome('Snowflake', [
    ['Connect', 'The account accepts the credentials.'],
    ['Use the warehouse', 'The warehouse exists and may be used.'],
    ['Use the database', 'The database exists and may be used.'],
    ['Use the schema', 'The schema exists and may be used.'],
  ]),
  open: null,
};
