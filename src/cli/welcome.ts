import type { Ready } from '../main.ts';

/**
 * What a person reads when the server is ready. A key that came from outside (`given`) is not repeated: standard output is a
 * service's log, and it would stand there once for each start.
 */
export function welcome(ready: Ready, given: boolean): string {
  return [
    '',
    `  Sluice is ready at ${ready.url}`,
    `  API description    ${ready.url}/api/docs`,
    `  Project            ${ready.project_id}`,
    `  Project API key    ${ready.project_api_key}   (capture)`,
    `  Personal API key   ${personalApiKey(ready, given)}`,
    '',
    '',
  ].join('\n');
}

function personalApiKey({ personal_api_key: key }: Ready, given: boolean): string {
  if (given) return 'that of SLUICE_BOOTSTRAP_PERSONAL_API_KEY';
  if (key !== undefined) return `${key}   (the API; shown this once)`;
  return 'was shown at the first start; `sluice keys create` makes another';
}
