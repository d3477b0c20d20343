import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Server, startS3 } from '../kit/s3/server.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { backfill, capture, createExport, uuids, yesterday } from './main-job.ts';

const EVENTS = 4_000;
const BUCKET = 'lake';
const { start, end } = yesterday();
const [day = '', nextDay = ''] = [start, end].map((at) => at.toISOString().slice(0, 10));
const name = `${day}T00:00:00+00:00-${nextDay}T00:00:00+00:00`;

describe('the main job, to an S3-compatible store', () => {
  let s3: S3Server;
  let sluice: RunningSluice;
  let sent: string[];
  let integration: number;
  const downloads = mkdtempSync(join(tmpdir(), 'sluice-s3-flow-'));

  beforeAll(async () => {
    s3 = await startS3({ buckets: [BUCKET] });
    sluice = await startSluice({ env: { SLUICE_ALLOWED_HOSTS: '127.0.0.1' } });
    sent = await capture(sluice, EVENTS, start, end);
    const created = await sluice.api<{ id: number }>(
      'POST',
      `/api/projects/${sluice.ready.project_id}/integrations/`,
      {
        kind: 's3-compatible',
        config: {
          name: 'the fake',
          aws_access_key_id: s3.credentials.accessKeyId,
          aws_secret_access_key: s3.credentials.secretAccessKey,
          endpoint_url: s3.url,
        },
      },
    );
    expect(created.status, JSON.stringify(created.body)).toBe(201);
    integration = created.body.id;
  });
  afterAll(async () => {
    await sluice?.stop();
    await s3?.stop();
    rmSync(downloads, { recursive: true });
  });

  const destination = (prefix: string, config: Record<string, unknown>) => ({
    type: 'S3Compatible',
    integration,
    config: { bucket_name: BUCKET, region: s3.region, prefix, ...config },
  });

  /** With the AWS SDK, as any reader of the bucket would. */
  async function download(prefix: string): Promise<string> {
    const client = new S3Client({
      endpoint: s3.url,
      region: s3.region,
      credentials: s3.credentials,
      forcePathStyle: true,
    });
    for (const key of s3.objects(BUCKET).filter((each) => each.startsWith(prefix))) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
      const path = join(downloads, key);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, (await Body?.transformToByteArray()) ?? '');
    }
    client.destroy();
    return join(downloads, prefix);
  }

  it('writes one Parquet object with upstream’s name and no manifest', async () => {
    const id = await createExport(
      sluice,
      destination('plain', { file_format: 'Parquet', compression: 'zstd' }),
    );
    const [run] = await backfill(sluice, id, day, nextDay);
    expect(run).toMatchObject({
      status: 'Completed',
      records_completed: EVENTS,
      records_total_count: EVENTS,
    });
    expect(s3.objects(BUCKET).filter((key) => key.startsWith('plain'))).toEqual([`plain/${name}.parquet`]);
    expect(await uuids(await download('plain'))).toEqual(sent.toSorted());
    expect(s3.uploads(BUCKET)).toEqual([]);
  });

  it('splits by size and names the files in a manifest', async () => {
    const id = await createExport(sluice, destination('split', { max_file_size_mb: 1 }));
    const [run] = await backfill(sluice, id, day, nextDay);
    expect(run).toMatchObject({ status: 'Completed', records_completed: EVENTS });
    const keys = s3.objects(BUCKET).filter((key) => key.startsWith('split'));
    const files = keys.filter((key) => key.endsWith('.jsonl'));
    expect(files.length).toBeGreaterThan(1);
    expect(keys).toEqual([...files, `split/${name}_manifest.json`].toSorted());
    expect(await uuids(await download('split'))).toEqual(sent.toSorted());
  });

  it('fails at once, with words to act on and without the secret, when the bucket is missing', async () => {
    const wrong = destination('x', {});
    const id = await createExport(sluice, { ...wrong, config: { ...wrong.config, bucket_name: 'nowhere' } });
    const [run] = await backfill(sluice, id, day, nextDay);
    expect(run).toMatchObject({ status: 'Failed', records_completed: null });
    expect(run?.latest_error).toContain('nowhere');
    expect(sluice.logs() + JSON.stringify(run)).not.toContain(s3.credentials.secretAccessKey);
  });

  it('a retried run replaces its own output', async () => {
    const id = await createExport(sluice, destination('again', { max_file_size_mb: 1, compression: 'gzip' }));
    const [run] = await backfill(sluice, id, day, nextDay);
    const before = s3.objects(BUCKET).filter((key) => key.startsWith('again'));
    const path = `/api/projects/${sluice.ready.project_id}/batch_exports/${id}/runs`;
    const retried = await sluice.api('POST', `${path}/${run?.id}/retry/`);
    expect(retried.status).toBe(201);
    await expect
      .poll(
        async () => {
          const { body } = await sluice.api<{ results: { status: string }[] }>('GET', `${path}/`);
          return body.results.map(({ status }) => status);
        },
        { timeout: 30_000 },
      )
      .toEqual(['Completed', 'Completed']);
    expect(s3.objects(BUCKET).filter((key) => key.startsWith('again'))).toEqual(before);
    expect(await uuids(await download('again'))).toEqual(sent.toSorted());
  });
});
