import { Worker } from 'node:worker_threads';
import { compileCache } from '../../../work/compile-cache.ts';
import { isNode, type Node, refuseQuery } from './ast.ts';
import { createTurns, type Turns } from './turns.ts';

export interface QueryParser {
  /** The tree of a SELECT. Throws `invalid_input` at hogql_query, `throttled` when too many wait. */
  parse(text: string, teamId: number): Promise<Node>;
  close(): Promise<void>;
}

export interface ParserLimits {
  /** Characters. */
  readonly longest: number;
  /** Brackets inside brackets. */
  readonly deepest: number;
  /** Milliseconds for one text, once the parser is loaded. */
  readonly time: number;
  /** Texts that may wait until those before them are read. */
  readonly waiting: Turns;
}

const LIMITS: ParserLimits = { longest: 50_000, deepest: 40, time: 3_000, waiting: { all: 20, each: 5 } };

/** Loading 1.1 MB of WebAssembly takes 25 ms; a machine that swaps may need more. */
const LOAD_MS = 30_000;

/**
 * Above this many characters the parser's stack of 64 kB may have run over without a trap: 300 additions (625
 * characters) fit, 400 (825) do not. Such an instance is not asked again.
 */
const SHORT = 500;

/**
 * PostHog's own parser, in a thread that is started by the first query. The thread is what makes it safe to ask: it
 * needs 2.3 s for 18 nested parentheses, 74 s for 30, and an instance that ran over its stack answers every later
 * query with a trap. A thread that takes too long or fails is ended, and the next query gets a new one.
 */
export function createQueryParser(limits: ParserLimits = LIMITS): QueryParser {
  let thread: Worker | null = null;
  const wait = createTurns(limits.waiting, 'being read');
  let last: Promise<unknown> = Promise.resolve();

  const drop = async () => {
    const ended = thread;
    thread = null;
    await ended?.terminate();
  };
  /** A thread that cannot be loaded is our fault, not the query's. */
  const loaded = async (): Promise<Worker> => {
    if (thread !== null) return thread;
    thread = new Worker(new URL('./parser-worker.ts', import.meta.url), {
      env: { ...process.env, ...compileCache() },
    });
    thread.unref();
    try {
      await nextMessage(thread, LOAD_MS);
      return thread;
    } catch (error) {
      await drop();
      throw error;
    }
  };
  const ask = async (text: string): Promise<string> => {
    const current = await loaded();
    try {
      const answer = nextMessage(current, limits.time);
      current.postMessage(text);
      const json = await answer;
      if (text.length > SHORT) await drop();
      return json;
    } catch {
      await drop();
      throw refuseQuery('The query is too complex to be read; take it apart.');
    }
  };

  return {
    async parse(text, teamId) {
      checkBounds(text, limits);
      using _ = wait(teamId);
      const mine = last.then(() => ask(text));
      last = mine.catch(() => {});
      return read(await mine);
    },
    close: drop,
  };
}

/** Rejects when the thread fails, ends, or says nothing in time. */
function nextMessage(thread: Worker, ms: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error('no answer in time')), ms);
  const onExit = () => reject(new Error('the thread ended'));
  thread.once('message', resolve).once('error', reject).once('exit', onExit);
  return promise.finally(() => {
    clearTimeout(timer);
    thread.off('message', resolve).off('error', reject).off('exit', onExit);
  });
}

function read(json: string): Node {
  const answer: unknown = JSON.parse(json);
  if (isNode(answer)) return answer;
  const { message = 'it is no SELECT', start } = answer as { message?: string; start?: { offset?: number } };
  throw refuseQuery(`The query cannot be read at character ${start?.offset ?? 0}: ${message.slice(0, 300)}`);
}

/** Literals, names and comments, whose brackets do not count, closed or not; then brackets. Linear on any text. */
const LEXEME =
  /'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|`(?:[^`\\]|\\.)*`?|--[^\n]*|\/\*.*?(?:\*\/|$)|([([{])|([)\]}])/gs;

function checkBounds(text: string, { longest, deepest }: ParserLimits): void {
  if (text.length > longest) throw refuseQuery(`The query has more than ${longest} characters.`);
  let depth = 0;
  for (const [, opens, closes] of text.matchAll(LEXEME)) {
    if (opens !== undefined) depth += 1;
    if (closes !== undefined) depth -= 1;
    if (depth > deepest) throw refuseQuery(`The query has more than ${deepest} brackets inside one another.`);
  }
}
