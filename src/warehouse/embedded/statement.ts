/** What the façade must know of a statement to run it; found by walking its top-level words. */
export type Statement = QueryStatement | InsertStatement;

export type QueryStatement =
  /** Has an answer that may be large; `INTO OUTFILE …` goes between `head` and `tail`. */
  | { readonly kind: 'answer'; readonly head: string; readonly tail: string; readonly hasFormat: boolean }
  /** Everything else: DDL, INSERT … SELECT, KILL, SET, SYSTEM … */
  | { readonly kind: 'command'; readonly sql: string };

/** `INSERT … FORMAT X` with data behind it; `FROM INFILE …` goes between `head` and `tail`. */
export interface InsertStatement {
  readonly kind: 'insert';
  readonly head: string;
  readonly tail: string;
  /** Where the data starts, in the text that was read. */
  readonly dataAt: number;
}

export interface Token {
  /** A word in upper case, or one character of punctuation. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Brackets open around it. */
  readonly depth: number;
}

/** More than one statement in a request, which ClickHouse's HTTP interface refuses. */
export class MultipleStatements extends Error {}

const WITH_ANSWER = new Set(['SELECT', 'WITH', 'FROM', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN', 'EXISTS', '(']);
/** After these, an earlier `SETTINGS` belonged to one part of a longer query. */
const CONTINUES = new Set(['UNION', 'EXCEPT', 'INTERSECT', 'SELECT']);

/** Throws MultipleStatements. Text that is no SQL comes back as a command, for the engine to refuse. */
export function readStatement(text: string): Statement {
  const first = tokens(text).next().value;
  if (first?.text === 'INSERT') return readInsert(text);
  const top = [...tokens(text)].filter((token) => token.depth === 0);
  const sql = withoutSemicolon(text, top);
  if (!first || !WITH_ANSWER.has(first.text) || top.some((token) => token.text === 'INSERT')) {
    return { kind: 'command', sql };
  }
  const { at, hasFormat } = tailOf(top, sql.length);
  return { kind: 'answer', head: sql.slice(0, at), tail: sql.slice(at), hasFormat };
}

/** Where the closing `FORMAT x` and `SETTINGS …` of a query begin. */
function tailOf(top: readonly Token[], length: number): { at: number; hasFormat: boolean } {
  let at = length;
  let hasFormat = false;
  top.forEach((token, index) => {
    if (CONTINUES.has(token.text)) {
      at = length;
      return;
    }
    // `system.settings` is a table.
    const before = top[index - 1];
    if (before?.text === '.' && before.end === token.start) return;
    if (token.text === 'SETTINGS' && isWord(top[index + 1])) at = Math.min(at, token.start);
    if (token.text === 'FORMAT' && isWord(top[index + 1])) {
      const next = top[index + 2];
      if (next && next.text !== 'SETTINGS' && next.text !== ';') return;
      at = Math.min(at, token.start);
      hasFormat = true;
    }
  });
  return { at, hasFormat };
}

function readInsert(text: string): Statement {
  let settingsAt: number | undefined;
  let formatAt: number | undefined;
  for (const token of tokens(text)) {
    if (token.depth > 0) continue;
    if (formatAt !== undefined) {
      const at = settingsAt ?? formatAt;
      const dataAt = token.end + (/^[ \t]*(?:\r?\n)?/.exec(text.slice(token.end))?.[0].length ?? 0);
      return { kind: 'insert', head: text.slice(0, at), tail: text.slice(at, token.end), dataAt };
    }
    if (token.text === 'SELECT' || token.text === 'WITH' || token.text === 'INFILE') break;
    if (token.text === 'SETTINGS') settingsAt = token.start;
    if (token.text === 'FORMAT') formatAt = token.start;
    if (token.text === 'VALUES') {
      const at = settingsAt ?? token.start;
      const tail = `${text.slice(at, token.start)}FORMAT Values`;
      return { kind: 'insert', head: text.slice(0, at), tail, dataAt: token.end };
    }
  }
  const top = [...tokens(text)].filter((token) => token.depth === 0);
  return { kind: 'command', sql: withoutSemicolon(text, top) };
}

function withoutSemicolon(text: string, top: readonly Token[]): string {
  const index = top.findIndex((token) => token.text === ';');
  if (index < 0) return text;
  if (top.slice(index).some((token) => token.text !== ';')) throw new MultipleStatements();
  return text.slice(0, top[index]?.start);
}

const isWord = (token: Token | undefined): boolean => token !== undefined && /^\w/.test(token.text);

/** One skip or token at a time: comments, literals and quoted names, dollar quotes, words, the rest. */
const LEXEME =
  /\s+|--[^\n]*|#[ !][^\n]*|\/\*.*?(?:\*\/|$)|'(?:[^'\\]|\\.|'')*'?|"(?:[^"\\]|\\.|"")*"?|`(?:[^`\\]|\\.|``)*`?|(\$\w*\$).*?\1|(\w+)|(.)/gsy;

/** Lazy, so that data behind an INSERT is never walked. */
export function* tokens(text: string): Generator<Token, undefined> {
  let depth = 0;
  for (const match of text.matchAll(LEXEME)) {
    const token = match[2]?.toUpperCase() ?? match[3];
    if (token === undefined) continue;
    if (token === ')' || token === ']' || token === '}') depth = Math.max(0, depth - 1);
    yield { text: token, start: match.index, end: match.index + match[0].length, depth };
    if (token === '(' || token === '[' || token === '{') depth++;
  }
}
