import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { s3Compatible } from '../../src/export/destinations/s3-compatible.ts';
import { startS3rver } from '../kit/s3rver.ts';
import { testPorts } from './ports.ts';
import { destinationSuite } from './suite.ts';

const Bucket = 'exports';

destinationSuite(
  'S3Compatible on s3rver',
  s3Compatible,
  async () => {
    const server = await startS3rver([Bucket]);
    const { url: endpoint, region, credentials } = server;
    const reader = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    return {
      setup: {
        type: 'S3Compatible',
        config: { bucket_name: Bucket, region, prefix: 'ph/' },
        integration: {
          endpoint_url: endpoint,
          aws_access_key_id: credentials.accessKeyId,
          aws_secret_access_key: credentials.secretAccessKey,
        },
      },
      ports: testPorts(''),
      contentOf: async (Key) => {
        try {
          const { Body } = await reader.send(new GetObjectCommand({ Bucket, Key }));
          return Buffer.from((await Body?.transformToByteArray()) ?? []);
        } catch (error) {
          if (error instanceof Error && error.name === 'NoSuchKey') return null;
          throw error;
        }
      },
      visibleKeys: async () => {
        const { Contents = [] } = await reader.send(new ListObjectsV2Command({ Bucket }));
        return Contents.map(({ Key }) => Key ?? '');
      },
      leftovers: async () => [],
      close: async () => {
        reader.destroy();
        await server.stop();
      },
    };
  },
  ['tells what is staged', 'takes staging back', 'is quick enough for 200 MB', 'reads the first byte alone'],
);
