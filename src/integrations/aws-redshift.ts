import { readHost, readPort, readTls } from './fields.ts';
import {
  type Credentials,
  type Fields,
  type IntegrationKind,
  invalidConfig,
  isGiven,
  type KindPorts,
  readText,
} from './kind.ts';

const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;

/** A Redshift cluster: by password, by an AWS access key, or by a role (contract.md §10). */
export const awsRedshift: IntegrationKind = {
  kind: 'aws-redshift',
  read: async (config, ports) => {
    const role = isGiven(config, 'aws_role_arn');
    const key = isGiven(config, 'aws_access_key_id') || isGiven(config, 'aws_secret_access_key');
    if (role && key) throw invalidConfig('Send either aws_role_arn or an access key, not both.');
    if (role) return readRole(config);
    return key ? readAccessKey(config) : await readPassword(config, ports);
  },
  displayName: ({ name, aws_role_arn: role }) => {
    if (typeof name !== 'string') return null;
    return typeof role === 'string' ? `${name} (${role})` : `${name} (AWS access key)`;
  },
};

async function readPassword(config: Fields, ports: KindPorts): Promise<Credentials> {
  const host = await readHost(config, 'host', ports);
  const port = readPort(config, 5439);
  const user = readText(config, 'user');
  return {
    identity: `${host}:${port}:${user}`,
    replaces: true,
    config: { host, port, user, ...readTls(config) },
    secrets: { password: readText(config, 'password') },
  };
}

function readAccessKey(config: Fields): Credentials {
  const named = readNamed(config);
  const secrets = {
    aws_access_key_id: readText(config, 'aws_access_key_id'),
    aws_secret_access_key: readText(config, 'aws_secret_access_key'),
  };
  return { identity: named.name, config: named, secrets };
}

function readRole(config: Fields): Credentials {
  const named = readNamed(config);
  const role = readText(config, 'aws_role_arn');
  if (!ROLE_ARN.test(role)) throw invalidConfig('aws_role_arn is not the ARN of an IAM role.');
  return { identity: named.name, config: { ...named, aws_role_arn: role }, secrets: {} };
}

/** What temporary credentials of the cluster are asked with. */
function readNamed(config: Fields) {
  const { groups = [], auto_create: autoCreate = false } = config;
  if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string' && group.trim() !== '')) {
    throw invalidConfig('groups must be a list of names.');
  }
  if (typeof autoCreate !== 'boolean') throw invalidConfig('auto_create must be true or false.');
  return {
    name: readText(config, 'name'),
    user: readText(config, 'user'),
    groups: groups as readonly string[],
    auto_create: autoCreate,
    workgroup_arn: isGiven(config, 'workgroup_arn') ? readText(config, 'workgroup_arn') : null,
  };
}
