import { type Fields, type IntegrationKind, invalidConfig, isGiven, readText } from './kind.ts';

const EMAIL = /^[^\s@]{1,128}@[a-z0-9.-]{1,253}$/i;
const KEY = ['private_key', 'private_key_id', 'token_uri'] as const;
/** A token endpoint elsewhere would be handed a signature of the key. */
const TOKEN_ENDPOINTS: readonly string[] = [
  'https://oauth2.googleapis.com/token',
  'https://accounts.google.com/o/oauth2/token',
  'https://www.googleapis.com/oauth2/v4/token',
];
const KEY_BYTES = 16_000;

/** A service account of Google Cloud, impersonated or by its key (contract.md §10). */
export const googleCloudServiceAccount: IntegrationKind = {
  kind: 'google-cloud-service-account',
  read: async (config) => {
    const email = readText(config, 'service_account_email');
    if (!EMAIL.test(email))
      throw invalidConfig('service_account_email must be the address of a service account.');
    const project = readText(config, 'project_id');
    const secrets = KEY.some((name) => isGiven(config, name)) ? readKey(config) : {};
    const variant = 'private_key' in secrets ? 'key' : 'impersonated';
    return {
      identity: `${email}:${variant}`,
      replaces: true,
      config: { project_id: project, service_account_email: email },
      secrets,
    };
  },
  displayName: () => null,
};

function readKey(config: Fields): Fields {
  const token = readText(config, 'token_uri');
  if (!TOKEN_ENDPOINTS.includes(token))
    throw invalidConfig("token_uri must be one of Google's token endpoints.");
  return {
    private_key: readText(config, 'private_key', KEY_BYTES),
    private_key_id: readText(config, 'private_key_id'),
    token_uri: token,
  };
}
