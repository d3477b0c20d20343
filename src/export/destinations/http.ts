import { Type } from 'typebox';
import { hasHiddenCharacters } from '../../work/hidden-characters.ts';
import type { Destination } from './destination.ts';
import { httpWrites } from './writes/http.ts';

/** Events to another capture endpoint; contract.md §5. The loader is not written yet. */
export const http: Destination = {
  type: 'HTTP',
  title: 'HTTP',
  config: Type.Object({
    url: Type.String({ description: 'A capture endpoint that takes batches: its path ends with /batch/.' }),
    token: Type.String({ description: 'The project API key of the receiving project.' }),
  }),
  secretKeys: ['token'],
  integration: null,
  check: (config) => checkUrl(config.url),
  accepts: httpWrites,
  files: () => null,
  testSteps: null,
  openEnded: true,
  open: null,
};

/** Whether the host may be reached is asked when a run opens the destination (`checkHost`). */
function checkUrl(url: unknown): string | null {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : null;
  const fits = parsed && ['http:', 'https:'].includes(parsed.protocol) && parsed.pathname.endsWith('/batch/');
  if (fits && hasHiddenCharacters(url as string)) return 'url must not hold spaces or control characters.';
  return fits ? null : 'url must be an http or https address whose path ends with /batch/.';
}
