import { quote } from '../quoting.ts';
import { type Token, tokens } from './statement.ts';

export interface Bound {
  readonly sql: string;
  /** Assignments for a SET statement. */
  readonly values: readonly string[];
}

/**
 * Gives the placeholders that have a value numbered names. A parameter once set stays set in a chDB
 * session, so under its own name it would answer for one that a later query forgot.
 */
export function bindParameters(sql: string, params: ReadonlyMap<string, string>): Bound {
  if (params.size === 0) return { sql, values: [] };
  const slots = new Map([...params.keys()].map((name, index) => [name, `sluice_${index}`]));
  const renamed = replaceTokens(sql, (all, index) => {
    if (all[index - 1]?.text !== '{' || all[index + 1]?.text !== ':') return null;
    return slots.get(sql.slice(all[index]?.start, all[index]?.end)) ?? null;
  });
  const values = [...params].map(([name, value]) => `param_${slots.get(name)} = ${quote(value)}`);
  return { sql: renamed, values };
}

/** The text with some tokens replaced, everything else untouched; null leaves a token as it is. */
export function replaceTokens(
  sql: string,
  choose: (all: readonly Token[], index: number) => string | null,
): string {
  const all = [...tokens(sql)];
  let result = '';
  let copied = 0;
  all.forEach((token, index) => {
    const replacement = choose(all, index);
    if (replacement === null) return;
    result += sql.slice(copied, token.start) + replacement;
    copied = token.end;
  });
  return result + sql.slice(copied);
}
