import { SluiceError } from '../../errors/error.ts';
import type { Actor, ResourcePorts } from '../ports.ts';
import type { WriteBody } from '../schema.ts';

/** The type that clients of 2023 to 2026 send, with the keys in its config (contract.md §14). */
export const LEGACY_S3 = 'S3';

type SentDestination = NonNullable<WriteBody['destination']>;

const TYPES = ['AwsS3', 'S3Compatible'];
/** Keys of the old type that one of the two new ones does not have. Empty, they say nothing and are left out. */
const OF_ONE_TYPE = ['encryption', 'kms_key_id', 'use_virtual_style_addressing'];

/**
 * A body whose destination is of the old type, as one of AwsS3 or S3Compatible, linked to an integration that holds its keys:
 * one that is there, or a new one. Other bodies come back as they are. Outside of transactions. Throws `invalid_input` with
 * attr `destination` for half of a key and an endpoint that may not be reached.
 */
export async function modernized(
  ports: Pick<ResourcePorts, 'legacyS3'>,
  actor: Actor,
  body: WriteBody,
  stored: { readonly destination_type: string } | null,
): Promise<WriteBody> {
  const { destination } = body;
  if (destination?.type !== LEGACY_S3 || !ports.legacyS3) return body;
  const {
    aws_access_key_id: accessKeyId,
    aws_secret_access_key: secretAccessKey,
    endpoint_url: endpointUrl,
    ...rest
  } = destination.config as Record<string, unknown>;
  const endpoint = isGiven(endpointUrl) ? String(endpointUrl) : null;
  const kept = stored && TYPES.includes(stored.destination_type) ? stored.destination_type : 'AwsS3';
  const type = endpoint === null ? kept : 'S3Compatible';
  const config = Object.fromEntries(
    Object.entries(rest).filter(
      ([key, value]) => !OF_ONE_TYPE.includes(key) || (isGiven(value) && value !== false),
    ),
  );
  const keys = [accessKeyId, secretAccessKey].filter(isGiven);
  if (keys.length === 1 || (keys.length === 0 && endpoint !== null)) {
    throw refuse('aws_access_key_id and aws_secret_access_key must be sent together, and with endpoint_url.');
  }
  if (keys.length === 0) return { ...body, destination: { ...destination, type, config } as SentDestination };
  const integration = await ports
    .legacyS3(actor, { accessKeyId: String(keys[0]), secretAccessKey: String(keys[1]), endpoint })
    .catch((error: unknown) => {
      throw error instanceof SluiceError && error.code === 'invalid_input' ? refuse(error.message) : error;
    });
  return { ...body, destination: { type, config, integration } as SentDestination };
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

const refuse = (detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr: 'destination', detail });
