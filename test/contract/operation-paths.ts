import type { Operation } from '../fuzz/document.ts';
import type { ObjectKind, TwoTenants } from './two-tenants.ts';

const KINDS: readonly (readonly [RegExp, ObjectKind])[] = [
  [/\/runs\/\{id\}/, 'run'],
  [/\/backfills\/\{id\}/, 'backfill'],
  [/\/batch_exports\/\{(batch_export_)?id\}/, 'export'],
  [/\/file_download_batch_exports\/\{id\}/, 'download'],
  [/\/integrations\/\{id\}/, 'integration'],
  [/\/personal_api_keys\/\{id\}/, 'key'],
  [/\/plugin_configs\/\{id\}/, 'app'],
  [/\/app_metrics\/\{(plugin_config_)?id\}/, 'app'],
  [/\/plugins\/\{id\}/, 'plugin'],
];

/** What `{name}` stands for, told by the folders before it. */
export function kindOf(path: string, name: string): ObjectKind {
  const upTo = path.slice(0, path.indexOf(`{${name}}`) + name.length + 2);
  const found = KINDS.filter(([pattern]) => new RegExp(`${pattern.source}$`).test(upTo));
  return found[0]?.[1] ?? 'unknown';
}

const paramsOf = (path: string) => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
export const objectsOf = (path: string) =>
  paramsOf(path).filter((name) => !/^(project|organization)_id$/.test(name));

export interface Place {
  readonly projectId?: number;
  /** Instead of the private one's. */
  readonly exportId?: string;
  /** Instead of every object's. */
  readonly objectId?: string;
}

/** The path with the ids of what it names. */
export function fill(
  path: string,
  tenants: TwoTenants,
  { projectId = tenants.projectId, exportId, objectId }: Place = {},
): string {
  const ids = { ...tenants.objects, ...(exportId && { export: exportId }) };
  return paramsOf(path).reduce((filled, name) => {
    const id = {
      project_id: String(projectId),
      organization_id: tenants.organizationId,
      part: '0',
    }[name];
    return filled.replace(`{${name}}`, id ?? objectId ?? ids[kindOf(path, name)]);
  }, path);
}

export type Area = 'project' | 'organization' | 'own';
export const areaOf = ({ path }: Operation): Area =>
  path.includes('{project_id}') ? 'project' : path.includes('{organization_id}') ? 'organization' : 'own';

export const isUnsafe = ({ method }: Operation): boolean => method !== 'GET';
export const titleOf = ({ method, path }: Operation): string => `${method} ${path}`;
