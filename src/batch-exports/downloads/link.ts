import type { RunRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import type { ResourcePorts } from '../ports.ts';
import { contentPath } from './content.ts';
import { expiresAt } from './expiry.ts';
import { partsOf, pickPart } from './parts.ts';

/**
 * The signed URL of a part (contract.md §9): absolute, like the request's own `url`, and good until the link's or the
 * file's time is over. Throws `invalid_input` while there is nothing to fetch or no longer, `not_found`.
 */
export function linkTo(
  ports: Pick<ResourcePorts, 'clock' | 'downloads'>,
  run: RunRow,
  wanted: string | undefined,
  url: URL,
): URL {
  if (run.status !== 'Completed') throw refuse(WHY[run.status] ?? 'The download has failed.');
  const part = pickPart(partsOf(run), wanted);
  const { keepSeconds, links, linkSeconds } = ports.downloads;
  const now = ports.clock.now();
  const gone = expiresAt(run, keepSeconds);
  if (gone <= now) throw refuse('The file has expired; ask for another download.');
  const link = new URL(contentPath(run.id, part.id, part.name), url.origin);
  const query = links.sign(link.pathname, Math.min(now + linkSeconds * 1000, gone));
  link.search = query.toString();
  return link;
}

const WHY: Readonly<Record<string, string>> = {
  Starting: 'The download is still in progress.',
  Running: 'The download is still in progress.',
  Cancelled: 'The download was cancelled.',
};

const refuse = (detail: string): SluiceError => new SluiceError('invalid_input', { detail });
