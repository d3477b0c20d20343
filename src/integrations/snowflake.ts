import { readWord } from './fields.ts';
import { type Fields, type IntegrationKind, invalidConfig, isGiven, readText } from './kind.ts';

const ACCOUNT = /^[\w.-]{1,256}$/;
const KEY_BYTES = 16_000;

/** A Snowflake account and a user there, by password or key pair (contract.md §10). */
export const snowflake: IntegrationKind = {
  kind: 'snowflake',
  read: async (config) => {
    const name = readText(config, 'name');
    const account = readText(config, 'account');
    if (!ACCOUNT.test(account)) {
      throw invalidConfig('account may hold letters, digits, dots, underscores and hyphens only.');
    }
    const user = readText(config, 'user');
    const authentication = readWord(config, 'authentication_type', ['password', 'keypair']);
    return {
      identity: name,
      config: { name, account, user, authentication_type: authentication },
      secrets:
        authentication === 'password' ? { password: readText(config, 'password') } : readKeyPair(config),
    };
  },
  displayName: ({ name, account }) => `${name} (${account})`,
};

function readKeyPair(config: Fields): Fields {
  const key = readText(config, 'private_key', KEY_BYTES);
  const passphrase = isGiven(config, 'private_key_passphrase')
    ? { private_key_passphrase: readText(config, 'private_key_passphrase') }
    : {};
  return { private_key: key, ...passphrase };
}
