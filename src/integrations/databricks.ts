import { readHost } from './fields.ts';
import { type IntegrationKind, readText } from './kind.ts';

/** A Databricks workspace and a service principal there (contract.md §10). */
export const databricks: IntegrationKind = {
  kind: 'databricks',
  read: async (config, ports) => {
    const host = await readHost(config, 'server_hostname', ports);
    return {
      identity: host,
      replaces: true,
      config: { server_hostname: host },
      secrets: { client_id: readText(config, 'client_id'), client_secret: readText(config, 'client_secret') },
    };
  },
  displayName: ({ server_hostname: host }) => String(host),
};
