import nodeModule from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { PGlite, Results, Transaction } from '@electric-sql/pglite';
import {
  JSON_TYPES,
  type Message,
  type RawResult,
  type Request,
  type SqlFailure,
  type ThreadOptions,
} from './protocol.ts';

/** The thread around PGlite, started by `pglite-thread.ts`. It opens its folder and carries out requests. */

interface Open {
  readonly tx: Transaction;
  readonly end: (how: 'commit' | 'rollback') => void;
  readonly ended: Promise<void>;
}

const asText = (text: string) => text;
/** timestamp, timestamptz */
const MOMENT_TYPES = [1114, 1184];
/** JavaScript takes the years 1 to 99 for 1950 to 2049, but for ISO's own spelling. The session's zone is UTC. */
const asMoment = (text: string) =>
  new Date(text.startsWith('00') ? `${text.slice(0, 10)}T${text.slice(11).replace(/\+00$/, '')}Z` : text);
const RAW = { rowMode: 'array' } as const;

const { folder } = workerData as ThreadOptions;
const opening = openPglite();
opening.catch(() => {}); // told to whoever asks
const transactions = new Map<number, Promise<Open>>();
const listening = new Map<string, () => Promise<void>>();

parentPort?.on('message', (request: Request) => {
  answer(request).then(
    (value) => tell({ id: request.id, value }),
    (error) => tell({ id: request.id, error: failure(error) }),
  );
});

async function openPglite(): Promise<PGlite> {
  nodeModule.enableCompileCache();
  const { PGlite } = await import('@electric-sql/pglite');
  // Given with a query they cost more than most queries do: PGlite copies its three hundred parsers for each (0.34 → 0.18 ms).
  const parsers = [
    ...JSON_TYPES.map((type) => [type, asText] as const),
    ...MOMENT_TYPES.map((type) => [type, asMoment] as const),
  ];
  return PGlite.create(folder, { parsers: Object.fromEntries(parsers) });
}

async function answer(request: Request): Promise<unknown> {
  const pglite = await opening;
  switch (request.op) {
    case 'open':
      return;
    case 'query': {
      const target = request.transaction === undefined ? pglite : (await found(request.transaction)).tx;
      return raw(await target.query<unknown[]>(request.sql, [...request.parameters], RAW));
    }
    case 'exec':
      return (await pglite.exec(request.sql, RAW)).map((result) => raw(result as Results<unknown[]>));
    case 'begin': {
      const beginning = begin(pglite);
      beginning.catch(() => {}); // told to whoever begins it
      transactions.set(request.transaction, beginning);
      await beginning;
      return;
    }
    case 'end': {
      const beginning = found(request.transaction);
      transactions.delete(request.transaction);
      const open = await beginning;
      open.end(request.how);
      return open.ended;
    }
    case 'listen':
      listening.set(
        request.channel,
        await pglite.listen(request.channel, (payload) => tell({ channel: request.channel, payload })),
      );
      return;
    case 'unlisten':
      await listening.get(request.channel)?.();
      listening.delete(request.channel);
      return;
    case 'close':
      return pglite.close();
  }
}

/** PGlite's lock makes everybody else wait until the transaction ends: a query of somebody else never runs inside it. */
function begin(pglite: PGlite): Promise<Open> {
  return new Promise((resolve, reject) => {
    const rolledBack = new Error('rolled back');
    const decision = Promise.withResolvers<void>();
    const ended = pglite
      .transaction(async (tx) => {
        const end: Open['end'] = (how) =>
          how === 'commit' ? decision.resolve() : decision.reject(rolledBack);
        resolve({ tx, end, ended });
        await decision.promise;
      })
      .catch((error) => {
        reject(error);
        if (error !== rolledBack) throw error;
      });
    ended.catch(() => {}); // told to whoever ends it
  });
}

function found(transaction: number): Promise<Open> {
  const open = transactions.get(transaction);
  if (!open) throw new Error('There is no such transaction.');
  return open;
}

const raw = ({ fields, rows, affectedRows }: Results<unknown[]>): RawResult => ({
  fields,
  rows,
  affectedRows,
});

function failure(error: unknown): SqlFailure {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, stack, code, detail, hint, table, column, constraint } = error as Error & SqlFailure;
  const severity = error.name === 'RuntimeError' ? 'PANIC' : (error as SqlFailure).severity;
  return { message, severity, stack, code, detail, hint, table, column, constraint };
}

function tell(message: Message): void {
  parentPort?.postMessage(message);
}
