import { type Accepts, hostIsPublic, inOrder, isText, type WritePorts } from './write.ts';

type Fields = Readonly<Record<string, unknown>>;

const TEXTS = ['s3_bucket', 'region_name'] as const;
const CREDENTIALS = ['authorization', 'bucket_credentials'] as const;
const KEYS = ['aws_access_key_id', 'aws_secret_access_key'];
const ROLE_ARN = /^arn:[\w-]+:iam::\d*:role\/\S+$/;

/** `mode: COPY`, contract.md §5. Credentials are keys or an integration's number; `authorization` may be a role, too. */
const copyInputs: Accepts = async ({ config, stored }, ports) => {
  if (config.mode !== 'COPY') return null;
  const inputs = fieldsOf(config.copy_inputs);
  if (!inputs || Object.keys(inputs).length === 0) return 'COPY needs copy_inputs.';
  const missing = [...TEXTS, ...CREDENTIALS].filter((name) => (inputs[name] ?? '') === '');
  if (missing.length > 0) return `COPY needs copy_inputs with ${missing.join(', ')}.`;
  const wrong = TEXTS.find((name) => !isText(inputs[name]));
  if (wrong) return `copy_inputs.${wrong} must be a text.`;
  if (!isText(inputs.s3_key_prefix ?? '/')) return 'copy_inputs.s3_key_prefix must be a text.';
  const before = fieldsOf(stored?.copy_inputs);
  for (const name of CREDENTIALS) {
    const problem = await problemWith(name, inputs[name], before?.[name], ports);
    if (problem !== null) return `copy_inputs.${name} ${problem}`;
  }
  return null;
};

async function problemWith(
  name: string,
  value: unknown,
  before: unknown,
  ports: WritePorts,
): Promise<string | null> {
  const id = integrationId(value);
  if (id !== null) {
    const kind = await ports.kindOf(id);
    return kind === 'aws-s3' ? null : 'must be the number of an integration of kind aws-s3 in this project.';
  }
  if (integrationId(before) !== null) return 'cannot go back from an integration to keys or a role.';
  const keys = fieldsOf(value);
  if (keys) return KEYS.every((key) => isText(keys[key])) ? null : `needs ${KEYS.join(' and ')}.`;
  if (name === 'authorization' && typeof value === 'string') {
    return ROLE_ARN.test(value.trim())
      ? null
      : 'is neither the ARN of an IAM role nor the number of an integration.';
  }
  return 'must be keys or the number of an integration.';
}

const fieldsOf = (value: unknown): Fields | null =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : null;

/** A whole number, or its digits. */
function integrationId(value: unknown): number | null {
  const number = typeof value === 'string' && /^\s*\d{1,10}\s*$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : null;
}

/** Numbers of integrations are kept and returned as numbers. */
export function tidyCopyInputs(config: Fields): Fields {
  const inputs = fieldsOf(config.copy_inputs);
  if (!inputs) return config;
  const ids = CREDENTIALS.flatMap((name) => {
    const id = integrationId(inputs[name]);
    return id === null ? [] : [[name, id] as const];
  });
  return { ...config, copy_inputs: { ...inputs, ...Object.fromEntries(ids) } };
}

export const redshiftWrites: Accepts = inOrder(hostIsPublic, copyInputs);
