import type { Kysely } from 'kysely';
import { organizationUnlessFirst } from '../accounts/first-organization.ts';
import type { Tables } from '../database/tables.ts';
import { folderOf } from '../export/destinations/filesystem/folder.ts';

/**
 * The folder of SLUICE_FILES_ROOT that a project writes to; null = the root itself, which belongs to who installed the
 * server: what wrote there before there were others goes on. Throws when there is no such project.
 */
export async function filesFolder(db: Kysely<Tables>, projectId: number): Promise<string | null> {
  const organization = await organizationUnlessFirst(db, projectId);
  return organization === null ? null : folderOf(organization);
}
