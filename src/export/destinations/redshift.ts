import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { redshiftWrites, tidyCopyInputs } from './writes/redshift.ts';

/** What `mode: COPY` needs in `copy_inputs`, contract.md §5. */
const COPY_INPUTS = ['s3_bucket', 'region_name', 'authorization', 'bucket_credentials'];

/** Tables in Amazon Redshift; contract.md §5. The loader is not written yet. */
export const redshift: Destination = {
  type: 'Redshift',
  title: 'Redshift',
  config: Type.Object({
    database: Type.String(),
    host: Type.Optional(Type.String({ description: 'When the integration holds none.' })),
    schema: Type.Optional(Type.String({ description: 'Default: public.' })),
    table_name: Type.Optional(Type.String({ description: 'Default: events.' })),
    port: Type.Optional(Type.Integer({ description: 'Default: 5439.' })),
    properties_data_type: Type.Optional(Type.String({ description: 'varchar (default) or super.' })),
    mode: Type.Optional(Type.String({ description: 'INSERT (default) or COPY.' })),
    copy_inputs: Type.Optional(
      Type.Object({}, { additionalProperties: true, description: `COPY only: ${COPY_INPUTS.join(', ')}.` }),
    ),
    user: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
  }),
  secretKeys: ['user', 'password', 'aws_access_key_id', 'aws_secret_access_key'],
  integration: { kind: 'aws-redshift', resent: true, inline: true },
  check,
  accepts: redshiftWrites,
  tidy: tidyCopyInputs,
  files: () => null,
  testSteps: null,
  open: null,
};

function check(config: Readonly<Record<string, unknown>>): string | null {
  if (!['varchar', 'super'].includes(String(config.properties_data_type ?? 'varchar'))) {
    return 'properties_data_type must be varchar or super.';
  }
  const mode = config.mode ?? 'INSERT';
  return mode === 'INSERT' || mode === 'COPY' ? null : 'mode must be INSERT or COPY.';
}
