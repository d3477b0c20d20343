import { expect, it } from 'vitest';
import { welcome } from './welcome.ts';

const READY = { url: 'http://a', project_id: 1, organization_id: 'o', project_api_key: 'phc_p' };
const KEY = 'phx_a_secret_of_the_environment';

it('shows the first key, and never one that came from outside', () => {
  expect(welcome({ ...READY, personal_api_key: KEY }, false)).toContain(
    `${KEY}   (the API; shown this once)`,
  );
  expect(welcome(READY, false)).toContain('was shown at the first start');
  const given = welcome({ ...READY, personal_api_key: KEY }, true);
  expect(given).not.toContain(KEY);
  expect(given).toContain('Personal API key   that of SLUICE_BOOTSTRAP_PERSONAL_API_KEY\n');
});
