import { parseArgs } from 'node:util';
import { startS3 } from './server.ts';

/**
 * The strict S3 on its own, for benchmarks and by hand: `node test/kit/s3/main.ts --port 0 --bucket b`.
 * Prints one line of JSON when it is ready; stops on SIGTERM or SIGINT.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    bucket: { type: 'string', multiple: true, default: ['sluice'] },
    region: { type: 'string', default: 'us-east-1' },
  },
});
const server = await startS3({ port: Number(values.port), buckets: values.bucket, region: values.region });
const { url, region, credentials } = server;
process.stdout.write(`${JSON.stringify({ url, region, buckets: values.bucket, ...credentials })}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void server.stop().then(() => process.exit(0)));
}
