import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import type { DestinationSetup } from '../spec.ts';
import type { Destination, DestinationPorts, FileTarget } from './destination.ts';
import { cloudFileOptionsOf } from './file-options.ts';
import { checkEncryption, checkS3, s3Keys, s3SecretKeys } from './s3/config.ts';
import type { Connection } from './s3/connection.ts';
import { accessKeyOf, regionOf, requiredOf, textOf } from './s3/credentials.ts';
import { assumedRole } from './s3/role.ts';
import { BUCKET_STEP } from './s3/test-step.ts';
import { PASSED, skipped, writingStep } from './test-steps.ts';

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
  testSteps: [
    {
      name: 'Assume the role',
      description: 'The role of the integration can be assumed, and only with its external id.',
      run: async (setup) => {
        const { credentials } = awsConnection(setup);
        if (typeof credentials !== 'function')
          return skipped('The integration holds access keys, not a role.');
        await credentials();
        return PASSED;
      },
    },
    writingStep(BUCKET_STEP, open),
  ],
  open,
};

async function open(setup: DestinationSetup, ports: DestinationPorts): Promise<FileTarget> {
  // Amazon's client takes a tenth of a second to load: who has no bucket need not.
  const { openBucket } = await import('./s3/target.ts');
  return await openBucket(awsConnection(setup), ports);
}

/** Keys, or a role that is assumed with the server's own AWS identity and an external id. Throws `destination_config`. */
export function awsConnection(setup: DestinationSetup): Connection {
  const bucket = requiredOf(setup, 'bucket_name');
  const region = regionOf(setup);
  const encryption = encryptionOf(setup);
  const roleArn = textOf(setup, 'aws_role_arn');
  const encrypted = encryption?.algorithm === 'aws:kms';
  return {
    bucket,
    region,
    endpoint: null,
    virtualStyle: true,
    credentials: roleArn
      ? assumedRole({ roleArn, externalId: externalIdOf(setup), region, bucket, encrypted })
      : accessKeyOf(setup),
    encryption,
    integrity: 'crc32',
  };
}

/** Of the integration alone, which the server binds to the organization: never what somebody sent. */
function externalIdOf({ integration: { external_id: id } }: DestinationSetup): string {
  if (typeof id === 'string' && id !== '') return id;
  throw new SluiceError('destination_config', {
    detail: 'A role is assumed with an external id only, and the integration has none.',
  });
}

function encryptionOf(setup: DestinationSetup): Connection['encryption'] {
  const algorithm = setup.config.encryption;
  if (algorithm === 'AES256') return { algorithm, keyId: null };
  return algorithm === 'aws:kms' ? { algorithm, keyId: textOf(setup, 'kms_key_id') } : null;
}
