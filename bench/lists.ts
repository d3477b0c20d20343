import { openDatabase } from '../src/database/database.ts';
import { vacuumNeedy } from '../src/database/embedded/vacuum.ts';
import { FIRST_EXPORT, fillDatabase } from '../test/kit/many-exports.ts';
import { projectLoad } from './beside.ts';
import type { Claim, Line } from './claim.ts';
import { loadUntil } from './load.ts';
import { call, dataFolder, type Server, startServer } from './server.ts';

const AMOUNTS = {
  exports: 10_000,
  runsEach: 10,
  runsOfFirst: 10_000,
  backfillsOfFirst: 1_000,
  logLinesOfFirst: 100_000,
};
const PER_SECOND = 10;
/** Until the code of a page is compiled: a server runs for months. */
const WARM_UP_MS = 5_000;
/** 120 requests each, so that the worst of all is not yet the 99th of a hundred. */
const MEASURE_MS = 12_000;
const DEEP_PAGES = 50;

/** Lists of an installation of a few years, in the embedded database. */
export const lists: Claim = {
  name: 'lists',
  title: 'GET lists with 10,000 exports and 100,000 runs, p99 at 10 per second, ms',
  run: async () => {
    using folder = dataFolder();
    await fill(folder.path);
    await using server = await startServer(folder.path);
    const all = `/batch_exports/${FIRST_EXPORT}`;
    const wide = 'after=-1y&start=-10y';
    const deep = await deepCursor(server, `${all}/runs/?${wide}`);
    const paths: readonly (readonly [string, string])[] = [
      ['exports, first 100', '/batch_exports/'],
      ['exports, middle 100', '/batch_exports/?offset=5000'],
      ['exports, last 100', '/batch_exports/?offset=9900'],
      ['runs, first page', `${all}/runs/`],
      ['runs, page 51', deep],
      ['runs, failed ones', `${all}/runs/?status=Failed&status=FailedRetryable&${wide}`],
      ['runs, of a status that none has', `${all}/runs/?status=TimedOut&${wide}`],
      ['runs, by interval', `${all}/runs/?ordering=-data_interval_start&${wide}`],
      ['runs, by interval, oldest first', `${all}/runs/?ordering=data_interval_start&${wide}`],
      ['runs, oldest first', `${all}/runs/?ordering=created_at&${wide}`],
      ['backfills', `${all}/backfills/`],
      ['log of an export', `${all}/logs/`],
      ['log, errors with a text that few have', `${all}/logs/?level=ERROR&search=Slice%2099`],
    ];
    const lines: Line[] = [];
    for (const [what, path] of paths) lines.push(await measured(server, what, path));
    lines.push(await besideAll(server));
    return lines;
  },
};

async function fill(dataDir: string): Promise<void> {
  const project = await firstStart(dataDir);
  const database = await openDatabase({ dataDir });
  await fillDatabase(database.kysely, project, AMOUNTS, Date.now());
  // A server does so within a minute.
  if ('pglite' in database.engine) await vacuumNeedy(database.engine.pglite);
  await database.close();
}

async function firstStart(dataDir: string): Promise<number> {
  await using server = await startServer(dataDir);
  return server.sluice.ready.project_id;
}

async function measured(server: Server, what: string, path: string): Promise<Line> {
  const load = projectLoad(server, [path], PER_SECOND);
  await loadUntil(load, after(WARM_UP_MS));
  const { p99, latencies } = await loadUntil(load, after(MEASURE_MS));
  const median = latencies.toSorted((a, b) => a - b)[latencies.length >> 1] ?? Number.NaN;
  return { what, ours: `median ${median.toFixed(1)}`, theirs: '', value: p99, bar: { atMost: 50 } };
}

/** What a page of everything, 59 MB of JSON, costs everybody else. */
async function besideAll(server: Server): Promise<Line> {
  const load = projectLoad(server, ['/integrations/'], 50);
  let bytes = 0;
  const { worst } = await loadUntil(load, all());
  const what = `another list, while all ${AMOUNTS.exports} exports are asked for on one page, longest stall`;
  return { what, ours: `${(bytes / 1e6).toFixed(0)} MB`, theirs: '', value: worst, bar: { atMost: 200 } };

  async function all(): Promise<void> {
    const answer = await fetch(`${load.url}${server.project}/batch_exports/?limit=${AMOUNTS.exports}`, {
      headers: load.headers,
    });
    if (!answer.ok || !answer.body) throw new Error(`the list answered ${answer.status}`);
    for await (const chunk of answer.body) bytes += chunk.length;
  }
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Follows `next` as a client would; the path of the page that comes then. */
async function deepCursor(server: Server, path: string): Promise<string> {
  let at = path;
  for (let page = 0; page < DEEP_PAGES; page++) {
    const { next } = await call<{ next: string }>(server, 'GET', at);
    const { pathname, search } = new URL(next);
    at = `${pathname.slice(server.project.length)}${search}`;
  }
  return at;
}
