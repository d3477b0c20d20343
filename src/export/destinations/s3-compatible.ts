import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import type { DestinationSetup } from '../spec.ts';
import type { Destination, DestinationPorts, FileTarget } from './destination.ts';
import { cloudFileOptionsOf } from './file-options.ts';
import { checkS3, s3Keys, s3SecretKeys } from './s3/config.ts';
import type { Connection } from './s3/connection.ts';
import { accessKeyOf, regionOf, requiredOf, textOf } from './s3/credentials.ts';
import { BUCKET_STEP } from './s3/test-step.ts';
import { writingStep } from './test-steps.ts';

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
  testSteps: [writingStep(BUCKET_STEP, open)],
  open,
};

async function open(setup: DestinationSetup, ports: DestinationPorts): Promise<FileTarget> {
  // Amazon's client takes a tenth of a second to load: who has no bucket need not.
  const { openBucket } = await import('./s3/target.ts');
  return await openBucket(compatibleConnection(setup), ports);
}

/** Throws `destination_config` without a usable endpoint, region, bucket or access key. */
export function compatibleConnection(setup: DestinationSetup): Connection {
  const endpoint = textOf(setup, 'endpoint_url');
  if (endpoint === null || !URL.canParse(endpoint)) {
    throw new SluiceError('destination_config', {
      detail: 'The integration of this export holds no endpoint; create it again.',
    });
  }
  return {
    bucket: requiredOf(setup, 'bucket_name'),
    region: regionOf(setup),
    endpoint,
    virtualStyle: setup.config.use_virtual_style_addressing === true,
    credentials: accessKeyOf(setup),
    encryption: null,
    integrity: 'md5',
  };
}
