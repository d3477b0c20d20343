import fc from 'fast-check';
import type { RunningSluice } from '../kit/sluice.ts';
import { DESTINATIONS, INTEGRATIONS, JOBS, PLUGIN_CONFIGS } from './samples.ts';

/**
 * Real objects that requests point at, so that they reach code that a made-up id never would. A request
 * holds a reference; the id is put in when it is sent, and an object that a request removed is replaced.
 */
export type Kind =
  | 'runExport'
  | 'backfillExport'
  | 'export'
  | 'run'
  | 'backfill'
  | 'compatible'
  | 'aws'
  | 'plugin'
  | 'pluginConfig'
  | 'job'
  | 'jobConfig'
  | 'key'
  | 'project'
  | 'organization';

const MARK = /"?<<(\w+):(\d+)>>"?/g;
const NUMBERS: readonly string[] = ['compatible', 'aws', 'project', 'plugin', 'pluginConfig', 'jobConfig'];

export const reference = (kind: Kind): fc.Arbitrary<string> =>
  fc.nat(30).map((index) => referenceTo(kind, index));

export const referenceTo = (kind: Kind, index: number): string => `<<${kind}:${index}>>`;

export class Stock {
  readonly #sluice: RunningSluice;
  readonly #ids: Record<Kind, string[]> = {
    export: [],
    run: [],
    runExport: [],
    backfill: [],
    backfillExport: [],
    compatible: [],
    aws: [],
    plugin: ['1', '2', '3'],
    pluginConfig: [],
    job: [],
    jobConfig: [],
    key: [],
    project: [],
    organization: [],
  };
  #made = 0;

  constructor(sluice: RunningSluice) {
    this.#sluice = sluice;
    this.#ids.project.push(String(sluice.ready.project_id));
    this.#ids.organization.push(sluice.ready.organization_id);
  }

  /** Makes what is missing: an export of every destination, integrations, runs and backfills. */
  async fill(): Promise<void> {
    const ids = this.#ids;
    // Backfills of hours without events would have no runs.
    if (this.#made === 0) await this.#events();
    while (ids.compatible.length < 2) await this.#integration('compatible');
    while (ids.aws.length < 2) await this.#integration('aws');
    while (ids.key.length < 3) await this.#key();
    while (ids.pluginConfig.length < 2) await this.#pluginConfig();

    const complete = ids.export.length >= DESTINATIONS.length;
    while (ids.export.length < DESTINATIONS.length) await this.#export();
    if (!complete) await this.#refreshRuns();
  }

  /** `text` with the references replaced by ids; numbers lose the quotes of JSON around them. */
  resolve(text: string): string {
    return text.replaceAll(MARK, (mark, kind: Kind, index: string) => {
      const known = this.#ids[kind];
      const id = known[Number(index) % known.length] ?? '00000000-0000-4000-8000-000000000000';
      return mark.startsWith('"') && !NUMBERS.includes(kind) ? `"${id}"` : id;
    });
  }

  /** Forgets what a deletion took; `fill` makes another. */
  removed(path: string): void {
    const gone = path.split(/[/?#]/);
    for (const kind of ['export', 'compatible', 'aws', 'key', 'pluginConfig'] as const) {
      this.#ids[kind] = this.#ids[kind].filter((id) => !gone.includes(id));
    }
  }

  async #integration(kind: keyof typeof INTEGRATIONS): Promise<void> {
    const sample = INTEGRATIONS[kind];
    const config = { ...sample.config, name: `stock ${this.#made++}` };
    const { id } = await this.#create<{ id: number }>('integrations', { ...sample, config });
    this.#ids[kind].push(String(id));
  }

  async #export(): Promise<void> {
    const destination = DESTINATIONS[this.#made++ % DESTINATIONS.length];
    const body = { name: `stock ${this.#made}`, interval: 'hour', destination };
    const { id } = await this.#create<{ id: string }>(
      'batch_exports',
      JSON.parse(this.resolve(JSON.stringify(body))) as object,
    );
    this.#ids.export.push(id);
    const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
    const answer = await this.#sluice.api('POST', `${this.#base}/batch_exports/${id}/backfills/`, {
      start_at: new Date(hour - 2 * 3_600_000).toISOString(),
      end_at: new Date(hour).toISOString(),
    });
    if (answer.status !== 201 && answer.status !== 429) throw new Error(JSON.stringify(answer));
  }

  async #events(): Promise<void> {
    const { url, project_api_key: key } = this.#sluice.ready;
    const batch = [1, 2].map((hours) => ({
      event: 'stock',
      distinct_id: 'stock',
      timestamp: new Date((Math.floor(Date.now() / 3_600_000) - hours) * 3_600_000).toISOString(),
    }));
    const answer = await fetch(`${url}/batch/`, {
      method: 'POST',
      body: JSON.stringify({ api_key: key, batch }),
    });
    if (answer.status !== 200) throw new Error(`the events were refused with ${answer.status}`);
  }

  async #key(): Promise<void> {
    const answer = await this.#sluice.api<{ id: string }>('POST', '/api/personal_api_keys/', {
      label: 'stock',
      scopes: ['*'],
    });
    this.#ids.key.push(answer.body.id);
  }

  /** The first one's historical export stays known, whatever becomes of the app: `jobConfig` is its plugin config. */
  async #pluginConfig(): Promise<void> {
    const sample = PLUGIN_CONFIGS[this.#made++ % PLUGIN_CONFIGS.length];
    const { id } = await this.#create<{ id: number }>('plugin_configs', sample);
    this.#ids.pluginConfig.push(String(id));
    if (this.#ids.job.length > 0) return;
    const job = { job: JOBS[0] };
    const started = await this.#sluice.api('POST', `${this.#base}/plugin_configs/${id}/job/`, job);
    if (started.status !== 200) throw new Error(JSON.stringify(started));
    const path = `${this.#base}/app_metrics/${id}/historical_exports/`;
    const { body } = await this.#sluice.api<{ results: { job_id: string }[] }>('GET', path);
    this.#ids.job = body.results.map((row) => row.job_id);
    this.#ids.jobConfig = [String(id)];
  }

  /** `runExport` and `backfillExport` are those of the run or backfill of the same number. */
  async #refreshRuns(): Promise<void> {
    for (const [kind, path] of [
      ['run', 'runs'],
      ['backfill', 'backfills'],
    ] as const) {
      const pairs = await Promise.all(
        this.#ids.export.map(async (exportId) => {
          const url = `${this.#base}/batch_exports/${exportId}/${path}/`;
          const { body } = await this.#sluice.api<{ results?: { id: string }[] }>('GET', url);
          return (body.results ?? []).map(({ id }) => [id, exportId] as const);
        }),
      );
      this.#ids[kind] = pairs.flat().map(([id]) => id);
      this.#ids[`${kind}Export`] = pairs.flat().map(([, exportId]) => exportId);
    }
  }

  get #base(): string {
    return `/api/projects/${this.#sluice.ready.project_id}`;
  }

  async #create<Body>(what: string, body: unknown): Promise<Body> {
    const answer = await this.#sluice.api<Body>('POST', `${this.#base}/${what}/`, body);
    if (answer.status !== 201) throw new Error(`${what}: ${JSON.stringify(answer)}`);
    return answer.body;
  }
}
