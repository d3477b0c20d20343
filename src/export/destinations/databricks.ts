import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { stepsToCome } from './test-steps.ts';
import { complete } from './writes/write.ts';

/** Tables in Databricks; contract.md §5. The loader is not written yet. */
export const databricks: Destination = {
  type: 'Databricks',
  title: 'Databricks',
  config: Type.Object({
    http_path: Type.String(),
    catalog: Type.String(),
    schema: Type.String(),
    table_name: Type.String(),
    use_variant_type: Type.Optional(Type.Boolean({ description: 'Default: true.' })),
    use_automatic_schema_evolution: Type.Optional(Type.Boolean({ description: 'Default: true.' })),
  }),
  secretKeys: [],
  integration: { kind: 'databricks', resent: true },
  check: () => null,
  accepts: complete({ config: ['server_hostname'], secrets: ['client_id', 'client_secret'] }),
  files: () => null,
  testSteps: stepsToCome('Databricks', [
    ['Connect', 'The workspace accepts the credentials.'],
    ['Use the catalog', 'The catalog exists and may be used.'],
    ['Use the schema', 'The schema exists and may be used.'],
    ['Use the table', 'The table exists or can be created.'],
    ['Use a volume', 'Files can be put into a volume.'],
  ]),
  open: null,
};
