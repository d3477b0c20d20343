import type { Db, Trx } from '../../src/apps/ports.ts';

export type Done = 'insertInto' | 'updateTable' | 'deleteFrom';

/**
 * The database, of whose transactions callers are told as late as `tell` says, once they are committed; when it throws, that
 * instead, as when the reply is lost. `tell` gets what the transaction did to batches.
 */
export function afterCommit(db: Db, tell: (done: ReadonlySet<Done>) => Promise<void>): Db {
  return over(db, {
    transaction: () => ({
      execute: async (work: (trx: Trx) => Promise<unknown>) => {
        const done = new Set<Done>();
        const result = await db.transaction().execute((trx) => {
          const noting = (what: Done) => (table: 'app_batches') => {
            if (table === 'app_batches') done.add(what);
            return (trx[what] as (table: 'app_batches') => unknown).call(trx, table);
          };
          const each = (['insertInto', 'updateTable', 'deleteFrom'] as const).map(
            (what) => [what, noting(what)] as const,
          );
          return work(over(trx as Trx, Object.fromEntries(each)));
        });
        await tell(done);
        return result;
      },
    }),
  });
}

/** `target` with some of its methods replaced. */
function over<T extends object>(target: T, methods: Readonly<Record<string, unknown>>): T {
  return new Proxy(target, {
    get(_, name) {
      if (typeof name === 'string' && name in methods) return methods[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
