import { expect, it, vi } from 'vitest';
import { yesterday } from '../flows/main-job.ts';
import { type Client, type Input, Refused } from './client.ts';

/** Of the stage that all clients share. */
export interface Stage {
  readonly client: Client;
  readonly projectId: string;
  /** Captured yesterday, UTC. */
  readonly events: number;
  readonly described: (operationId: string) => boolean;
}

const { start, end } = yesterday();
const day = start.toISOString().slice(0, 10);
const nextDay = end.toISOString().slice(0, 10);
const soon = { timeout: 30_000, interval: 50 };

/** What a person does with the API, once, for any client (contract.md §16). */
export function wholeFlow(stage: () => Stage): void {
  let id = '';
  let run = '';
  /** `call('batch_exports_pause_create', { path: { id } })` in the stage's project. */
  const call = (operationId: string, { path, ...input }: Input = {}) =>
    stage().client.call(operationId, { ...input, path: { project_id: stage().projectId, ...path } });
  const refused = async (refusal: Promise<unknown>) => {
    const error = await refusal.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Refused);
    const { status, envelope } = error as Refused;
    expect(Object.keys(envelope as object).toSorted()).toEqual(['attr', 'code', 'detail', 'type']);
    const { code, attr } = envelope as { code: string; attr: string | null };
    return { status, code, attr };
  };
  const ended = (path: Record<string, string>) =>
    vi.waitFor(async () => {
      const { status } = await call('batch_exports_backfills_retrieve', { path });
      expect(status).toBe('Completed');
    }, soon);

  it('creates, lists, gets and changes an export (contract.md §4)', async () => {
    const created = await call('batch_exports_create', {
      body: {
        name: 'by a client',
        model: 'events',
        interval: 'day',
        destination: { type: 'Filesystem', config: { prefix: crypto.randomUUID(), file_format: 'Parquet' } },
      },
    });
    id = created.id;
    expect(created).toMatchObject({ name: 'by a client', interval: 'day', paused: false, latest_runs: [] });
    const page = await call('batch_exports_list', { query: { limit: 1, offset: 0 } });
    expect(page.results).toEqual([created]);
    expect(page.count).toBeGreaterThanOrEqual(1);
    expect(await call('batch_exports_retrieve', { path: { id } })).toEqual(created);
    const renamed = await call('batch_exports_partial_update', { path: { id }, body: { name: 'renamed' } });
    expect(renamed).toEqual({ ...created, name: 'renamed', last_updated_at: renamed.last_updated_at });
  });

  it('pauses and unpauses it (contract.md §6)', async () => {
    expect(await call('batch_exports_pause_create', { path: { id } })).toEqual({ paused: true });
    expect(await call('batch_exports_retrieve', { path: { id } })).toMatchObject({ paused: true });
    expect(await call('batch_exports_unpause_create', { path: { id } })).toEqual({ paused: false });
    expect(await call('batch_exports_retrieve', { path: { id } })).toMatchObject({ paused: false });
  });

  it('backfills a day, reads its run and the log, and exports it again (contract.md §7, §8)', async () => {
    const path = { batch_export_id: id };
    const { backfill_id: backfill } = await call('batch_exports_backfills_create', {
      path,
      body: { start_at: day, end_at: nextDay },
    });
    await ended({ ...path, id: backfill });
    const backfills = await call('batch_exports_backfills_list', { path, query: { ordering: '-start_at' } });
    expect(backfills.results).toMatchObject([{ id: backfill, batch_export: id, status: 'Completed' }]);

    const query = { status: ['Completed', 'Failed'], ordering: '-created_at' };
    const { results } = await call('batch_exports_runs_list', { path, query });
    expect(results).toMatchObject([{ status: 'Completed', backfill, records_completed: stage().events }]);
    run = results[0].id;
    expect(await call('batch_exports_runs_retrieve', { path: { ...path, id: run } })).toEqual(results[0]);
    const lines = await call('batch_exports_runs_logs_retrieve', { path: { ...path, id: run } });
    expect(lines.results[0]).toMatchObject({ log_source_id: id, instance_id: run });
    const all = await call('batch_exports_logs_retrieve', { path: { id }, query: { limit: 500 } });
    expect(all.results).toEqual(expect.arrayContaining(lines.results));

    const again = await call('batch_exports_runs_retry_create', { path: { ...path, id: run } });
    expect(again.backfill_id).toMatch(`${id}-Backfill-${day}T00:00:00+00:00-`);
    await vi.waitFor(async () => {
      const runs = await call('batch_exports_runs_list', { path, query });
      expect(runs.results.map((each: { status: string }) => each.status)).toEqual(['Completed', 'Completed']);
    }, soon);
    expect(
      await refused(call('batch_exports_runs_cancel_create', { path: { ...path, id: run } })),
    ).toMatchObject({ status: 400, code: 'invalid_input', attr: null });
  });

  it('stores credentials, tests a connection, cancels a run and a backfill (contract.md §6–§8, §10)', async () => {
    const integration = await call('integrations_create', {
      body: {
        kind: 's3-compatible',
        config: {
          name: crypto.randomUUID(),
          endpoint_url: 'http://127.0.0.1:9',
          aws_access_key_id: 'id',
          aws_secret_access_key: 'key',
        },
      },
    });
    const integrations = await call('integrations_list', { query: { kind: 's3-compatible' } });
    expect(integrations.results.at(-1)).toEqual(integration);
    expect(await call('integrations_retrieve', { path: { id: String(integration.id) } })).toEqual(
      integration,
    );

    const config = { bucket_name: 'b', region: 'us-east-1', prefix: 'p', file_format: 'JSONLines' };
    const destination = { type: 'S3Compatible', config, integration: integration.id };
    const body = { name: 'unreachable', interval: 'hour', destination };
    const { steps } = await call('batch_exports_test_retrieve', { query: { destination: 'S3Compatible' } });
    expect(steps).toMatchObject([{ result: null }]);
    const tested = await call('batch_exports_run_test_step_new_create', { body: { ...body, step: 0 } });
    expect(tested).toMatchObject({ name: steps[0].name, result: { status: 'Failed' } });
    const unreachable = await call('batch_exports_create', { body });
    const stored = { path: { id: unreachable.id }, body: { step: 0, destination } };
    expect(await call('batch_exports_run_test_step_create', stored)).toMatchObject({
      name: steps[0].name,
      result: { status: 'Failed' },
    });

    const path = { batch_export_id: unreachable.id };
    const { backfill_id: backfill } = await call('batch_exports_backfills_create', {
      path,
      body: { start_at: `${day}T00:00:00Z`, end_at: `${day}T03:00:00Z` },
    });
    const [active] = await vi.waitFor(async () => {
      const { results } = await call('batch_exports_runs_list', { path, query: { status: ['Running'] } });
      expect(results.length).toBeGreaterThan(0);
      return results;
    }, soon);
    expect(await call('batch_exports_runs_cancel_create', { path: { ...path, id: active.id } })).toEqual({
      cancelled: true,
    });
    const one = { path: { ...path, id: backfill } };
    expect(await call('batch_exports_backfills_cancel_create', one)).toEqual({ cancelled: true });
    expect(await call('batch_exports_backfills_retrieve', one)).toMatchObject({ status: 'Cancelled' });
    expect(await refused(call('batch_exports_backfills_cancel_create', one))).toMatchObject({ status: 400 });

    const key = { path: { id: String(integration.id) } };
    expect(await refused(call('integrations_destroy', key))).toMatchObject({ status: 400, attr: null });
    await call('batch_exports_destroy', { path: { id: unreachable.id } });
    await call('integrations_destroy', key);
    expect(await refused(call('integrations_retrieve', key))).toMatchObject({ status: 404 });
  });

  it('asks for files and downloads them (contract.md §9)', async () => {
    const bounds = {
      data_interval_start: `${day}T00:00:00Z`,
      data_interval_end: `${nextDay}T00:00:00Z`,
    };
    const { id: download } = await call('file_download_batch_exports_create', {
      body: { model: 'events', file: { format: 'JSONLines' }, ...bounds },
    });
    const path = { id: download };
    await vi.waitFor(async () => {
      const shown = await call('file_download_batch_exports_retrieve', { path });
      expect(shown).toMatchObject({ status: 'Completed', records_completed: stage().events });
    }, soon);
    const listed = await call('file_download_batch_exports_list', { query: { limit: 1 } });
    expect(listed.results).toEqual([{ id: download, status: 'Completed' }]);
    const content = await call('file_download_batch_exports_download_retrieve', { path });
    expect((await textOf(content)).trimEnd().split('\n')).toHaveLength(stage().events);
    const { results } = await call('file_download_batch_exports_logs_retrieve', { path });
    expect(results[0]).toMatchObject({ instance_id: download });
    expect(await refused(call('file_download_batch_exports_cancel_create', { path }))).toMatchObject({
      status: 400,
    });
  });

  it('asks for figures without a query (contract.md §11, §16)', async ({ skip }) => {
    if (!stage().described('app_metrics_retrieve')) skip('this version has no app metrics');
    const { metrics } = await call('app_metrics_retrieve', { path: { id } });
    expect(metrics.totals).toEqual({ successes: 2, successes_on_retry: 0, failures: 0 });
  });

  it('understands refusals (contract.md §1.4)', async () => {
    const body = { name: 'x', interval: 'fortnight', destination: { type: 'NoOp', config: {} } };
    expect(await refused(call('batch_exports_create', { body }))).toEqual({
      status: 400,
      code: 'invalid_choice',
      attr: 'interval',
    });
    const stranger = { path: { project_id: '999999', id } };
    expect(await refused(call('batch_exports_retrieve', stranger))).toMatchObject({ status: 404 });
    const cursor = { path: { batch_export_id: id }, query: { cursor: 'x' } };
    expect(await refused(call('batch_exports_runs_list', cursor))).toMatchObject({ status: 404 });
  });

  it('deletes the export; its runs stay listable (contract.md §13)', async () => {
    await call('batch_exports_destroy', { path: { id } });
    expect(await refused(call('batch_exports_retrieve', { path: { id } }))).toEqual({
      status: 404,
      code: 'not_found',
      attr: null,
    });
    const runs = await call('environments_batch_exports_runs_list', { path: { batch_export_id: id } });
    expect(runs.results).toHaveLength(2);
  });
}

/** Libraries hand files over as text, as a Blob or as bytes. */
const textOf = (content: unknown): Promise<string> => new Response(content as ArrayBuffer).text();
