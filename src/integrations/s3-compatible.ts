import { hasHiddenCharacters } from '../work/hidden-characters.ts';
import { type IntegrationKind, invalidConfig, type KindPorts, readText } from './kind.ts';

/** Any store that speaks S3, by its endpoint and an access key (contract.md §10). */
export const s3Compatible: IntegrationKind = {
  kind: 's3-compatible',
  read: async (config, ports) => {
    const name = readText(config, 'name');
    const secrets = {
      aws_access_key_id: readText(config, 'aws_access_key_id'),
      aws_secret_access_key: readText(config, 'aws_secret_access_key'),
    };
    const endpoint = await readEndpoint(readText(config, 'endpoint_url'), ports);
    return { identity: name, config: { name, endpoint_url: endpoint }, secrets };
  },
  displayName: ({ name, endpoint_url: endpoint }) => `${name} (${endpoint})`,
};

/** Credentials inside the URL would be stored and shown in the open. */
async function readEndpoint(text: string, ports: KindPorts): Promise<string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw invalidConfig('endpoint_url must be a URL starting with https:// or http://.');
  }
  if (hasHiddenCharacters(text)) {
    throw invalidConfig('endpoint_url must not hold spaces or control characters.');
  }
  if (url.username || url.password || url.search || url.hash) {
    throw invalidConfig('endpoint_url must not carry credentials, a query or a fragment.');
  }
  const problem = await ports.problemWithHost(url.hostname);
  if (problem !== null) throw invalidConfig(`endpoint_url: ${problem}`);
  return text;
}
