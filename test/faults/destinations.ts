import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type S3Server, startS3 } from '../kit/s3/server.ts';
import type { RunningSluice } from '../kit/sluice.ts';

/** A place that exports go to, and what a reader finds there. */
export interface Place {
  readonly kind: 'Filesystem' | 'S3Compatible';
  /** The body's `destination` of an export below `prefix`. */
  destination(prefix: string, config: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Everything below `prefix`, as files below the directory that is returned. */
  read(prefix: string): Promise<string>;
  /** What is neither a data file nor a manifest: partial files, open uploads. */
  leftovers(prefix: string): string[];
}

export function filesystem(root: string): Place {
  return {
    kind: 'Filesystem',
    destination: (prefix, config) => ({ type: 'Filesystem', config: { prefix, ...config } }),
    read: async (prefix) => join(root, prefix),
    leftovers: (prefix) => filesBelow(join(root, prefix)).filter((path) => !isResult(path)),
  };
}

export interface BucketPlace extends Place {
  readonly server: S3Server;
  close(): Promise<void>;
}

const BUCKET = 'lake';

/** A bucket on the strict fake, reached by an integration of the running Sluice. */
export async function openBucketPlace(
  sluice: RunningSluice,
  through: (server: S3Server) => Promise<string> = async ({ url }) => url,
): Promise<BucketPlace> {
  const server = await startS3({ buckets: [BUCKET] });
  const downloads = mkdtempSync(join(tmpdir(), 'sluice-fault-downloads-'));
  const { status, body } = await sluice.api<{ id: number }>(
    'POST',
    `/api/projects/${sluice.ready.project_id}/integrations/`,
    {
      kind: 's3-compatible',
      config: {
        name: 'the fake',
        aws_access_key_id: server.credentials.accessKeyId,
        aws_secret_access_key: server.credentials.secretAccessKey,
        endpoint_url: await through(server),
      },
    },
  );
  if (status !== 201) throw new Error(`the integration was refused: ${JSON.stringify(body)}`);
  const below = (prefix: string) => server.objects(BUCKET).filter((key) => key.startsWith(`${prefix}/`));
  return {
    kind: 'S3Compatible',
    server,
    destination: (prefix, config) => ({
      type: 'S3Compatible',
      integration: body.id,
      config: { bucket_name: BUCKET, region: server.region, prefix, ...config },
    }),
    read: async (prefix) => {
      rmSync(join(downloads, prefix), { recursive: true, force: true });
      for (const key of below(prefix)) {
        const path = join(downloads, key);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, (await server.content(BUCKET, key)) ?? '');
      }
      return join(downloads, prefix);
    },
    leftovers: (prefix) => [
      ...below(prefix).filter((key) => !isResult(key)),
      ...server
        .uploads(BUCKET)
        .filter(({ key }) => key.startsWith(`${prefix}/`))
        .map(({ key, id }) => `upload ${id} of ${key}`),
    ],
    close: async () => {
      await server.stop();
      rmSync(downloads, { recursive: true, force: true });
    },
  };
}

/** Keys that the manifests below a directory name, and keys of the data files that are there; both sorted. */
export function manifestAndFiles(directory: string, prefix: string): { named: string[]; there: string[] } {
  const all = filesBelow(directory);
  const named = all
    .filter((path) => path.endsWith('_manifest.json'))
    .flatMap((path) => (JSON.parse(readFileSync(path, 'utf8')) as { files: string[] }).files);
  const there = all
    .filter((path) => !path.endsWith('_manifest.json'))
    .map((path) => prefix + path.slice(directory.length));
  return { named: named.toSorted(), there: there.toSorted() };
}

export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function isResult(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return !name.startsWith('.') && /(_manifest\.json|\.parquet|\.jsonl(\.\w+)?)$/.test(name);
}
