import type { Accepts } from './write.ts';

/** Where PostHog's own clouds take events. */
const CLOUDS = ['https://us.i.posthog.com/batch/', 'https://eu.i.posthog.com/batch/'];

/** The clouds, and what the administrator allowed by name (contract.md §5). */
export const httpWrites: Accepts = async ({ config: { url } }, ports) => {
  if (typeof url !== 'string' || CLOUDS.includes(url)) return null;
  const { hostname, username, password } = new URL(url);
  // It would be shown to whoever reads the export.
  if (username || password) return 'url must not carry credentials.';
  if (await ports.allowsHost(hostname)) return null;
  return `url must be ${CLOUDS.join(' or ')}, or have a host that SLUICE_ALLOWED_HOSTS names.`;
};
