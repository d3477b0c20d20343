import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { stepsToCome } from './test-steps.ts';
import { complete } from './writes/write.ts';

/** Tables in BigQuery; contract.md §5. Keys of a service account are legacy. The loader is not written yet. */
export const bigquery: Destination = {
  type: 'BigQuery',
  title: 'BigQuery',
  config: Type.Object({
    dataset_id: Type.String(),
    table_id: Type.Optional(Type.String({ description: 'Default: events.' })),
    use_json_type: Type.Optional(Type.Boolean({ description: 'Default: false.' })),
    project_id: Type.Optional(Type.String()),
    private_key: Type.Optional(Type.String()),
    private_key_id: Type.Optional(Type.String()),
    token_uri: Type.Optional(Type.String()),
    client_email: Type.Optional(Type.String()),
  }),
  secretKeys: ['private_key', 'private_key_id', 'client_email', 'token_uri'],
  integration: { kind: 'google-cloud-service-account', resent: true },
  check: () => null,
  accepts: complete({ config: ['service_account_email', 'project_id'] }),
  files: () => null,
  testSteps: stepsToCome('BigQuery', [
    ['Impersonate the service account', 'Acts as the service account of the integration.'],
    ['Verify who owns the account', 'The service account names this organization as its user.'],
    ['Find the project', 'The project exists and may be used.'],
    ['Find the dataset', 'The dataset exists in the project.'],
    ['Use the table', 'The table exists or can be created.'],
  ]),
  open: null,
};
