import { Type } from 'typebox';
import type { Destination } from './destination.ts';

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
  files: () => null,
  open: null,
};
