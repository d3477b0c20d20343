import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { cloudFileOptionsOf } from './file-options.ts';
import { checkEncryption, checkS3, s3Keys, s3SecretKeys } from './s3/config.ts';

/** Objects in Amazon S3; contract.md §5. */
export const awsS3: Destination = {
  type: 'AwsS3',
  title: 'Amazon S3',
  config: Type.Object({
    ...s3Keys,
    encryption: Type.Optional(
      Type.Union([Type.Literal('AES256'), Type.Literal('aws:kms'), Type.Null()], {
        description: 'Default: what the bucket says.',
      }),
    ),
    kms_key_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  }),
  secretKeys: s3SecretKeys,
  integration: { kind: 'aws-s3' },
  check: (config) => checkS3(config) ?? checkEncryption(config),
  files: cloudFileOptionsOf,
  open: null,
};
