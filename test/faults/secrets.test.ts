import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { createExport, pathOf, startBackfill, untilEnded } from './check.ts';
import { type BucketPlace, filesBelow, openBucketPlace } from './destinations.ts';
import { makeEvents, type Range, send } from './events.ts';
import { seeded } from './random.ts';

/** anchors.md D.3, row 14: no plaintext secret in any answer, log or file. */
const SEAL_KEY = 'the key that seals all others, 0123456789';
const WRONG_SECRET = 'wrong-secret-access-key-0123456789abcdef';
const WRONG_KEY = 'phx_nobody_has_this_key_0123456789abcdefghij';
const start = new Date(Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000);
const range: Range = { start, end: new Date(start.getTime() + 3_600_000) };

let sluice: RunningSluice;
let bucket: BucketPlace;
/** Everything the API answered, whole. */
const answers: string[] = [];

beforeAll(async () => {
  sluice = await startSluice({ env: { SLUICE_SECRET_KEY: SEAL_KEY } });
  bucket = await openBucketPlace(sluice);
});
afterAll(async () => {
  await sluice?.kill();
  await bucket?.close();
});

async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(new URL(path, sluice.ready.url), init);
  const text = await response.text();
  answers.push(`${JSON.stringify([...response.headers])}${text}`);
  return { status: response.status, text };
}

const withKey = { Authorization: `Bearer ${phx()}`, 'Content-Type': 'application/json' };
function phx(): string {
  return 'phx_a_key_that_only_tests_use_0123456789abcdef';
}

it('keeps every secret to itself, whatever goes right or wrong', async () => {
  const project = `/api/projects/${sluice.ready.project_id}`;
  await send(sluice.ready, makeEvents(200, range, 300, seeded(3)));

  const good = await createExport(sluice, bucket.destination('good', { file_format: 'Parquet' }));
  await startBackfill(sluice, good, range);
  expect((await untilEnded(sluice, good)).map(({ status }) => status)).toEqual(['Completed']);

  const wrong = await sluice.api<{ id: number }>('POST', `${project}/integrations/`, {
    kind: 's3-compatible',
    config: {
      name: 'wrong',
      aws_access_key_id: bucket.server.credentials.accessKeyId,
      aws_secret_access_key: WRONG_SECRET,
      endpoint_url: bucket.server.url,
    },
  });
  expect(wrong.status).toBe(201);
  answers.push(JSON.stringify(wrong.body));
  const place = bucket.destination('bad', { file_format: 'JSONLines' });
  const bad = await createExport(sluice, { ...place, integration: wrong.body.id });
  await startBackfill(sluice, bad, range);
  const [failed] = await untilEnded(sluice, bad);
  expect(failed?.status).toBe('Failed');

  for (const path of [
    '',
    `/${bad}`,
    `/${bad}/runs`,
    `/${bad}/logs`,
    `/${bad}/runs/${failed?.id}/logs`,
    `/${good}/logs`,
  ]) {
    expect((await ask(`${project}/batch_exports${path}/`, { headers: withKey })).status).toBe(200);
  }
  expect((await ask(`${project}/integrations/`, { headers: withKey })).status).toBe(200);
  expect((await ask('/api/personal_api_keys/@current', { headers: withKey })).status).toBe(200);
  expect((await ask(`${project}/batch_exports/?personal_api_key=${WRONG_KEY}`)).status).toBe(401);
  const broken = { method: 'POST', headers: withKey, body: `{"aws_secret_access_key":"${WRONG_SECRET}",` };
  expect((await ask(`${project}/integrations/`, broken)).status).toBe(400);
  const misplaced = {
    method: 'POST',
    headers: withKey,
    body: JSON.stringify({
      kind: 's3-compatible',
      config: { name: [], aws_secret_access_key: WRONG_SECRET },
    }),
  };
  expect((await ask(`${project}/integrations/`, misplaced)).status).toBe(400);
  expect((await ask(`${pathOf(sluice, bad)}/`, { headers: withKey })).status).toBe(200);
  expect((await ask('/metrics')).status).toBe(200);

  await sluice.kill();
  const secrets = [SEAL_KEY, WRONG_SECRET, bucket.server.credentials.secretAccessKey, phx(), WRONG_KEY];
  const seen: Readonly<Record<string, string>> = {
    answers: answers.join('\n'),
    logs: sluice.logs(),
    files: filesBelow(sluice.dataDir)
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path, 'latin1'))
      .join('\n'),
  };
  expect(seen.logs?.length, 'there is a log to look at').toBeGreaterThan(1000);
  expect(seen.files?.includes(bucket.server.url), 'the files hold what is no secret').toBe(true);
  const leaks = Object.entries(seen).flatMap(([where, text]) =>
    secrets
      .filter((secret) => text.includes(secret))
      .map((secret) => `${secret.slice(0, 12)}… in the ${where}`),
  );
  expect(leaks).toEqual([]);
});
