import { SluiceError } from '../../../errors/error.ts';
import type { Calls } from './calls.ts';
import { nameOf } from './connection.ts';

/**
 * The pages of a listing, each asked for where the one before says that it goes on; `after` answers null at the end. A store
 * that always goes on is asked as often as the limits allow. Throws `destination_config`, then.
 */
export async function* pagesOf<Page, Marker>(
  calls: Calls,
  what: string,
  ask: (from: Marker | null) => Promise<Page>,
  after: (page: Page, from: Marker | null) => Marker | null,
): AsyncGenerator<Page> {
  const { connection, limits } = calls;
  let from: Marker | null = null;
  for (let pages = 0; pages < limits.pages; pages++) {
    const page: Page = await ask(from);
    yield page;
    from = after(page, from);
    if (from === null) return;
  }
  throw new SluiceError('destination_config', {
    detail: `${what} in ${nameOf(connection)} came to no end after ${limits.pages} pages.`,
  });
}
