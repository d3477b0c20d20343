import { awsConnection, awsS3 } from '../../src/export/destinations/aws-s3.ts';
import type { Destination } from '../../src/export/destinations/destination.ts';
import { openBucket } from '../../src/export/destinations/s3/target.ts';
import { startS3 } from '../kit/s3/server.ts';
import { testPorts } from './ports.ts';
import { destinationSuite, type Inability, type Subject } from './suite.ts';

/** As for Amazon in all but the address: CRC32 of each part, and encryption by KMS, whose ETags are no MD5. */
const onFake: Destination = {
  ...awsS3,
  open: async (setup, ports) => {
    const endpoint = String(setup.integration.test_endpoint);
    return await openBucket({ ...awsConnection(setup), endpoint, virtualStyle: false }, ports);
  },
};

for (const encryption of [null, 'aws:kms']) {
  // That large bodies go through is no matter of encryption.
  const leaveOut: readonly Inability[] = encryption === null ? [] : ['is quick enough for 200 MB'];
  const name = `AwsS3 on a strict S3, encryption ${encryption}`;
  const open = async (): Promise<Subject> => {
    const server = await startS3({ buckets: ['exports'], region: 'eu-central-1' });
    return {
      setup: {
        type: 'AwsS3',
        config: {
          bucket_name: 'exports',
          region: server.region,
          prefix: 'ph/',
          encryption,
          kms_key_id: 'k1',
        },
        integration: {
          test_endpoint: server.url,
          aws_access_key_id: server.credentials.accessKeyId,
          aws_secret_access_key: server.credentials.secretAccessKey,
        },
      },
      ports: testPorts(''),
      contentOf: (key) => server.content('exports', key),
      visibleKeys: async () => server.objects('exports'),
      leftovers: async () => server.uploads('exports').map(({ key }) => key),
      close: () => server.stop(),
    };
  };
  destinationSuite(name, onFake, open, leaveOut);
}
