import { SluiceError } from '../../../errors/error.ts';
import type { DestinationSetup } from '../../spec.ts';

/** The access key of the integration; older exports hold it in their config. Throws `destination_config`. */
export function accessKeyOf(setup: DestinationSetup): { accessKeyId: string; secretAccessKey: string } {
  const accessKeyId = textOf(setup, 'aws_access_key_id');
  const secretAccessKey = textOf(setup, 'aws_secret_access_key');
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  throw new SluiceError('destination_config', {
    detail: 'The integration of this export holds no access key; create it again.',
  });
}

/** A text of the integration, else of the config; null when it is in neither. */
export function textOf(setup: DestinationSetup, name: string): string | null {
  const value = setup.integration[name] ?? setup.config[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A text of the config. Throws `destination_config`. */
export function requiredOf(setup: DestinationSetup, name: string): string {
  const value = setup.config[name];
  if (typeof value === 'string' && value.trim() !== '') return value.trim();
  throw new SluiceError('destination_config', { detail: `The destination has no ${name}.` });
}

/** The region becomes part of a host name, so it must look like one label. Throws `destination_config`. */
export function regionOf(setup: DestinationSetup): string {
  const region = requiredOf(setup, 'region');
  if (/^[a-z0-9][a-z0-9-]{0,62}$/i.test(region)) return region;
  throw new SluiceError('destination_config', {
    detail: 'The region of the destination is not a region name.',
  });
}
