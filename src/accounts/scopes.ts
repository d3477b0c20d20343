/** What scopes are about: the API asks for `…:read` or `…:write` of these. A test compares it with the API's description. */
export const SCOPE_OBJECTS = ['batch_export', 'integration', 'plugin', 'project', 'organization'] as const;

/**
 * Scopes that open nothing here. Keys may have them all the same: those of PostHog are for more than Sluice serves, and
 * scripts made for it ask for what they need there.
 */
export const scopesOfNothing = (scopes: readonly string[]): string[] =>
  scopes.filter((scope) => scope !== '*' && !SCOPE_OBJECTS.some((object) => scope.startsWith(`${object}:`)));
