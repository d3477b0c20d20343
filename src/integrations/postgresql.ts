import { readHost, readPort, readTls } from './fields.ts';
import { type IntegrationKind, readText } from './kind.ts';

/** A Postgres server and a user there (contract.md §10). */
export const postgresql: IntegrationKind = {
  kind: 'postgresql',
  read: async (config, ports) => {
    const host = await readHost(config, 'host', ports);
    const port = readPort(config, 5432);
    const user = readText(config, 'user');
    return {
      identity: `${host}:${port}:${user}`,
      replaces: true,
      config: { host, port, user, ...readTls(config) },
      secrets: { password: readText(config, 'password') },
    };
  },
  displayName: () => null,
};
