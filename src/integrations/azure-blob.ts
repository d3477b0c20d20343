import { hasHiddenCharacters } from '../work/hidden-characters.ts';
import { type IntegrationKind, invalidConfig, type KindPorts, readText } from './kind.ts';

/** An account of Azure Blob Storage by its connection string (contract.md §10). Nothing of it is shown. */
export const azureBlob: IntegrationKind = {
  kind: 'azure-blob',
  read: async (config, ports) => {
    const text = readText(config, 'connection_string');
    const parts = partsOf(text);
    const account = parts.get('accountname');
    if (!account) throw invalidConfig('connection_string must hold an AccountName.');
    if ((parts.get('defaultendpointsprotocol') ?? 'https') !== 'https') {
      throw invalidConfig('connection_string must use https.');
    }
    const endpoint = parts.get('blobendpoint');
    if (endpoint !== undefined) await checkEndpoint(endpoint, ports);
    return { identity: account, replaces: true, config: {}, secrets: { connection_string: text } };
  },
  displayName: () => null,
};

/** `Name=value;…`; names in any case, values may hold `=`. */
function partsOf(text: string): Map<string, string> {
  return new Map(
    text.split(';').flatMap((part) => {
      const at = part.indexOf('=');
      return at < 1 ? [] : [[part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()] as const];
    }),
  );
}

async function checkEndpoint(endpoint: string, ports: KindPorts): Promise<void> {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url?.protocol !== 'https:')
    throw invalidConfig('The BlobEndpoint of connection_string must use https.');
  if (hasHiddenCharacters(endpoint))
    throw invalidConfig('The BlobEndpoint of connection_string must not hold spaces or control characters.');
  const problem = await ports.problemWithHost(url.hostname);
  if (problem !== null) throw invalidConfig(`The BlobEndpoint of connection_string: ${problem}`);
}
