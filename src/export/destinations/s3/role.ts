import { randomUUID } from 'node:crypto';
import type { AssumeRoleCommandOutput, STSClient } from '@aws-sdk/client-sts';
import { SluiceError } from '../../../errors/error.ts';
import { collectAnswer } from './answer-body.ts';
import { defaultLimits } from './limits.ts';
import { failureOf, verdictOf } from './verdict.ts';

/** What a role is assumed for; the session may do no more than this. */
export interface RoleOrder {
  readonly roleArn: string;
  /** Tells whose export it is: the same server assumes the roles of all organizations. */
  readonly externalId: string;
  readonly region: string;
  readonly bucket: string;
  readonly encrypted: boolean;
}

/** Temporary keys, as the S3 client takes them; it asks again before `expiration`. */
export interface TemporaryCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/**
 * Credentials by assuming the user's role with the server's own AWS identity (the SDK's default chain:
 * environment, profile, instance), in two hops. The role must refuse a wrong
 * external id: else anybody who knows its name could write through this server (engine.md §2.1).
 *
 * Not tested against Amazon: there is nothing here to test it with.
 */
export function assumedRole(order: RoleOrder): () => Promise<TemporaryCredentials> {
  let proven = false;
  return async () => {
    const { STSClient } = await import('@aws-sdk/client-sts');
    // Without these the SDK waits for ever.
    const requestHandler = {
      connectionTimeout: defaultLimits.connectMs,
      socketTimeout: defaultLimits.idleMs,
    };
    const client = new STSClient({ region: order.region, requestHandler, streamCollector: collectAnswer });
    try {
      if (!proven) await expectRefusal(client, order);
      proven = true;
      return credentialsOf(await assume(client, order, order.externalId));
    } catch (error) {
      throw error instanceof SluiceError ? error : denied(order, error);
    } finally {
      client.destroy();
    }
  };
}

async function expectRefusal(client: STSClient, order: RoleOrder): Promise<void> {
  try {
    await assume(client, order, randomUUID());
  } catch (error) {
    if (failureOf(error).status === 403) return;
    throw error;
  }
  throw new SluiceError('destination_config', {
    detail: `The role ${order.roleArn} can be assumed with any external id; its trust policy must require the id of the organization as sts:ExternalId.`,
  });
}

async function assume(
  client: STSClient,
  order: RoleOrder,
  externalId: string,
): Promise<AssumeRoleCommandOutput> {
  const { AssumeRoleCommand } = await import('@aws-sdk/client-sts');
  return await client.send(
    new AssumeRoleCommand({
      RoleArn: order.roleArn,
      RoleSessionName: 'sluice',
      DurationSeconds: 3600,
      Policy: JSON.stringify(sessionPolicy(order)),
      ExternalId: externalId,
    }),
  );
}

/**
 * Writing, finding our own uploads, and reading back for the proof, in the role's own partition of AWS (`aws-cn`, `aws-us-gov`,
 * …). In all of the bucket: whoever repeats a run removes what it left below an older prefix.
 */
export function sessionPolicy(order: Pick<RoleOrder, 'roleArn' | 'bucket' | 'encrypted'>): object {
  const partition = /^arn:(aws[a-z-]*):/.exec(order.roleArn)?.[1] ?? 'aws';
  const bucket = `arn:${partition}:s3:::${order.bucket}`;
  const objects = [
    's3:PutObject',
    's3:GetObject',
    's3:DeleteObject',
    's3:AbortMultipartUpload',
    's3:ListMultipartUploadParts',
  ];
  const statements = [
    { Effect: 'Allow', Action: objects, Resource: `${bucket}/*` },
    { Effect: 'Allow', Action: ['s3:ListBucket', 's3:ListBucketMultipartUploads'], Resource: bucket },
  ];
  const keys = { Effect: 'Allow', Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: '*' };
  return { Version: '2012-10-17', Statement: order.encrypted ? [...statements, keys] : statements };
}

function credentialsOf(answer: AssumeRoleCommandOutput): TemporaryCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) {
    throw new SluiceError('destination_unavailable', { detail: 'AWS STS answered without credentials.' });
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: Expiration,
  };
}

function denied(order: RoleOrder, error: unknown): SluiceError {
  const failure = failureOf(error);
  const what = `The role ${order.roleArn} could not be assumed (${failure.code})`;
  if (verdictOf(failure).retry) return new SluiceError('destination_unavailable', { detail: `${what}.` });
  return new SluiceError('destination_denied', {
    detail: `${what}; check its trust policy, which must require the id of the organization as sts:ExternalId, and the server's own AWS credentials.`,
  });
}
