import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { cloudFileOptionsOf } from './file-options.ts';
import { checkS3, s3Keys, s3SecretKeys } from './s3/config.ts';

/** Objects in a store that speaks S3's protocol; contract.md §5. The integration holds the endpoint. */
export const s3Compatible: Destination = {
  type: 'S3Compatible',
  title: 'S3-compatible storage',
  config: Type.Object({
    ...s3Keys,
    use_virtual_style_addressing: Type.Optional(
      Type.Boolean({ description: 'bucket.host instead of host/bucket. Default: false.' }),
    ),
  }),
  secretKeys: s3SecretKeys,
  integration: { kind: 's3-compatible' },
  check: checkS3,
  files: cloudFileOptionsOf,
  open: null,
};
