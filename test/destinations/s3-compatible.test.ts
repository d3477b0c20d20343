import { s3Compatible } from '../../src/export/destinations/s3-compatible.ts';
import { startS3 } from '../kit/s3/server.ts';
import { testPorts } from './ports.ts';
import { destinationSuite } from './suite.ts';

destinationSuite('S3Compatible on a strict S3', s3Compatible, async () => {
  const server = await startS3({ buckets: ['exports'] });
  return {
    setup: {
      type: 'S3Compatible',
      config: { bucket_name: 'exports', region: server.region, prefix: 'ph/' },
      integration: {
        endpoint_url: server.url,
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
});
