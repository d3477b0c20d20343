import { SluiceError } from '../../../errors/error.ts';
import type { DestinationSetup } from '../../spec.ts';
import type { DestinationPorts } from '../destination.ts';
import { keyProblem, type Place, placeOf } from './place.ts';

/** What a target of files works with: the ports, and the part of the root that it may write to. */
export type FolderPorts = DestinationPorts & Pick<DestinationSetup, 'folder'>;

/** The folder of an organization, by its id. */
export const folderOf = (organizationId: string): string => `organization-${organizationId}`;

const FOLDER = /^\/*organization-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}(?:\/|$)/i;

/** What makes a key unusable below the root itself, which all organizations share, in words; null = nothing. */
export const foreignProblem = (key: string): string | null =>
  FOLDER.test(key)
    ? 'begins with organization-<id>: folders of such names belong to other organizations.'
    : null;

/**
 * `placeOf` in the folder of the project's organization. Throws `destination_config`, too, for a key of the first organization
 * that would lie in the folder of another one.
 */
export async function placeIn(
  { filesRoot, folder }: FolderPorts,
  key: string,
  create: boolean,
): Promise<Place | null> {
  // Of the finished key, not of the prefix: variables could make such a name of what is none.
  const problem = keyProblem(key) ?? (folder === null ? foreignProblem(key) : null);
  if (problem) throw new SluiceError('destination_config', { detail: `The key ${key} ${problem}` });
  return placeOf(filesRoot, folder ? `${folder}/${key}` : key, create);
}
