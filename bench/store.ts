import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DestinationSetup } from '../src/export/spec.ts';

const MAIN = fileURLToPath(new URL('../test/kit/s3/main.ts', import.meta.url));

/** The strict S3 of the tests in a process of its own, so that its work is nobody's event loop. */
export interface Store extends AsyncDisposable {
  readonly url: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export async function startStore(): Promise<Store> {
  const bucket = 'bench';
  const child: ChildProcess = spawn(process.execPath, [MAIN, '--port', '0', '--bucket', bucket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!child.stdout) throw new Error('no stdout');
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`the S3 server exited with ${code}`);
  });
  died.catch(() => {});
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), died])) as [
    string,
  ];
  return {
    ...(JSON.parse(line) as Omit<Store, 'bucket'>),
    bucket,
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** An S3-compatible destination on the store. `more`: prefix, format and compression. */
export function storeSetup(store: Store, more: Readonly<Record<string, unknown>>): DestinationSetup {
  return {
    type: 'S3Compatible',
    config: { bucket_name: store.bucket, region: store.region, ...more },
    integration: {
      endpoint_url: store.url,
      aws_access_key_id: store.accessKeyId,
      aws_secret_access_key: store.secretAccessKey,
    },
  };
}
