import type { Call, Operation } from './call.ts';

/** Which requests a fault is for. Absent = any. */
export interface FaultMatch {
  readonly operation?: Operation;
  readonly key?: string | RegExp;
  readonly part?: number;
  /** The first request it strikes, counted from 1 among those that match. Default 1. */
  readonly nth?: number;
  /** How many it strikes. Default 1; Infinity = all from then on. */
  readonly times?: number;
}

export type FaultAction =
  /** An error instead of a result, with S3's XML; nothing is done. */
  | { readonly status: number; readonly code: string; readonly region?: string }
  /** The connection is reset after so many bytes of the request's body (default 0). */
  | { readonly reset: true; readonly afterBytes?: number }
  /** This status, and a body that does not end. */
  | { readonly endless: number }
  /** No answer, ever. */
  | { readonly hang: true }
  /** The answer stops half-way and the connection closes. */
  | { readonly truncate: true }
  /** Both bodies move at this speed, bytes per second. */
  | { readonly slow: number }
  /** Done as asked, and another ETag is told. */
  | { readonly wrongETag: true }
  /** Done as asked, and the connection is reset instead of answering. */
  | { readonly dropReplyAfterCommit: true }
  /** The server's clock is off by so many milliseconds for this request. */
  | { readonly skewMs: number };

type Named<K extends string> = Extract<FaultAction, { readonly [name in K]: unknown }>;

/** The action of a kind among those that strike a request. */
export function faulty<K extends string>(actions: readonly FaultAction[], kind: K): Named<K> | undefined {
  return actions.find((action): action is Named<K> => kind in action);
}

interface Fault {
  readonly match: FaultMatch;
  readonly action: FaultAction;
  seen: number;
  /** Requests it has struck. */
  struck: number;
}

/** What goes wrong, and when. */
export class Faults {
  #list: Fault[] = [];

  add(fault: { readonly match?: FaultMatch; readonly action: FaultAction }): { readonly struck: number } {
    const added: Fault = { match: fault.match ?? {}, action: fault.action, seen: 0, struck: 0 };
    this.#list.push(added);
    return added;
  }

  clear(): void {
    this.#list = [];
  }

  /** The actions for one request; counts it. */
  strike(call: Call): readonly FaultAction[] {
    return this.#list.filter((fault) => strikes(fault, call)).map((fault) => fault.action);
  }
}

function strikes(fault: Fault, call: Call): boolean {
  const { operation, key, part, nth = 1, times = 1 } = fault.match;
  if (operation !== undefined && operation !== call.operation) return false;
  if (typeof key === 'string' && key !== call.key) return false;
  if (key instanceof RegExp && !key.test(call.key)) return false;
  if (part !== undefined && String(part) !== call.query.get('partNumber')) return false;
  fault.seen += 1;
  if (fault.seen < nth || fault.seen >= nth + times) return false;
  fault.struck += 1;
  return true;
}
