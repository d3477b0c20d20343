import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);

export interface S3rver {
  readonly url: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}

/**
 * Starts npm's s3rver, which is not ours: a second opinion on what an S3 is. It knows no listing of
 * uploads or parts, no abort and no conditional writes.
 */
export async function startS3rver(buckets: readonly string[]): Promise<S3rver> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-s3rver-'));
  const program = join(dirname(require.resolve('s3rver')), '../bin/s3rver.js');
  const configure = buckets.flatMap((bucket) => ['--configure-bucket', bucket]);
  const server = spawn(
    process.execPath,
    [program, '-d', directory, '-a', '127.0.0.1', '-p', '0', '--silent', ...configure],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const gone = once(server, 'exit');
  const last = () => void server.kill('SIGKILL');
  process.once('exit', last);
  const port = await new Promise<string>((resolve, reject) => {
    void gone.then(() => reject(new Error('s3rver ended before it was ready.')));
    createInterface(server.stdout).on('line', (line) => {
      const match = /listening on .*:(\d+)$/.exec(line);
      if (match?.[1]) resolve(match[1]);
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    stop: async () => {
      process.removeListener('exit', last);
      server.kill('SIGTERM');
      await gone;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
