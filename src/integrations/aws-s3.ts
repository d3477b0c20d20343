import {
  type Credentials,
  type Fields,
  type IntegrationKind,
  invalidConfig,
  isGiven,
  readText,
} from './kind.ts';

const ROLE_ARN = /^arn:aws[a-z-]*:iam::(\d{12}):role\/[\w+=,.@/-]{1,512}$/;
const KEYS = ['aws_access_key_id', 'aws_secret_access_key'] as const;

/** Amazon S3 by access key, or by a role to assume (contract.md §10). Nothing is asked of AWS here. */
export const awsS3: IntegrationKind = {
  kind: 'aws-s3',
  read: async (config) => {
    const name = readText(config, 'name');
    if (!isGiven(config, 'aws_role_arn')) return readAccessKey(name, config);
    if (KEYS.some((key) => isGiven(config, key))) {
      throw invalidConfig('Send either aws_role_arn or an access key, not both.');
    }
    return readRole(name, config);
  },
  // Whoever learns the name of another organization's role cannot use it from here: the role knows its own organization's id.
  atUse: ({ aws_role_arn: role }, organizationId) =>
    typeof role === 'string' ? { external_id: organizationId } : {},
  displayName: ({ name, aws_role_arn: role, aws_account_id: account }) => {
    if (typeof role === 'string') return `${name} (${role})`;
    return typeof account === 'string' ? `${name} (AWS account ${account})` : `${name} (access key)`;
  },
};

/** The account stays unknown until a connection test asks AWS. */
const readAccessKey = (name: string, config: Fields): Credentials => ({
  identity: name,
  config: { name, aws_account_id: null },
  secrets: {
    aws_access_key_id: readText(config, 'aws_access_key_id'),
    aws_secret_access_key: readText(config, 'aws_secret_access_key'),
  },
});

function readRole(name: string, config: Fields): Credentials {
  const role = readText(config, 'aws_role_arn');
  if (!ROLE_ARN.test(role)) throw invalidConfig('aws_role_arn is not the ARN of an IAM role.');
  return { identity: name, config: { name, aws_role_arn: role }, secrets: {} };
}
