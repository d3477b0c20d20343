import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { api } from './api.ts';
import { appMetrics } from './app-metrics.ts';
import { archive } from './archive.ts';
import { backfill } from './backfill.ts';
import { capture } from './capture.ts';
import type { Claim, Line } from './claim.ts';
import { delivery } from './delivery.ts';
import { duckdb } from './duckdb.ts';
import { empty } from './empty.ts';
import { files } from './files.ts';
import { largeBatch } from './large-batch.ts';
import { lists } from './lists.ts';
import { memory } from './memory.ts';
import { nodeProgram } from './node-program.ts';
import { s3 } from './s3.ts';
import { type Stage, setStage } from './stage.ts';
import { tick } from './tick.ts';

const CLAIMS: readonly Claim[] = [
  files,
  s3,
  duckdb,
  nodeProgram,
  memory,
  api,
  lists,
  capture,
  largeBatch,
  tick,
  empty,
  backfill,
  appMetrics,
  delivery,
  archive,
];

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: process.env.SLUICE_BENCH_ROWS ?? '2000000' },
    turns: { type: 'string', default: process.env.SLUICE_BENCH_TURNS ?? '3' },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log('npm run bench -- [--rows 2000000] [--turns 3] [--only NAME]…\n\nClaims:');
  for (const { name, title } of CLAIMS) console.log(`  ${name.padEnd(12)} ${title}`);
  process.exit(0);
}

const options = { rows: Number(values.rows), turns: Number(values.turns) };
const wanted = CLAIMS.filter(({ name }) => !values.only || values.only.includes(name));
const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
const report = [
  '# Benchmark results',
  '',
  `\`npm run bench -- --rows ${options.rows} --turns ${options.turns}${values.only ? ` --only ${values.only.join(' --only ')}` : ''}\` on ${machine}.`,
  'Each pair is measured in turn in one run: median (min–max); the ratio is the median of the turns.',
];
console.log(report.join('\n'));

await using stack = new AsyncDisposableStack();
let shared: Promise<Stage> | undefined;
const stage = () => {
  shared ??= setStage(options.rows).then((made) => stack.use(made));
  return shared;
};

for (const claim of wanted) {
  const lines = await claim.run(options, stage);
  const text = [
    '',
    `## ${claim.title}`,
    '',
    '| | Sluice | other | | bar |',
    '|---|---|---|---|---|',
    ...lines.map(row),
  ];
  console.log(text.join('\n'));
  report.push(...text);
}
if (!values.only) writeFileSync(new URL('results.md', import.meta.url), `${report.join('\n')}\n`);

function row({ what, ours, theirs, value, bar }: Line): string {
  const [limit, met] =
    'atLeast' in bar ? [`≥ ${bar.atLeast}`, value >= bar.atLeast] : [`≤ ${bar.atMost}`, value <= bar.atMost];
  return `| ${what} | ${ours} | ${theirs} | **${value.toFixed(2)}** | ${limit} ${met ? '✓' : '✗'} |`;
}
