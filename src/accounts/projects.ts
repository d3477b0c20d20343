import { Type } from 'typebox';
import { formatTimestamp } from '../http/timestamps.ts';

export const ProjectSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  organization: Type.String({ format: 'uuid' }),
  api_token: Type.String({ description: 'The project key, phc_…, that capture accepts.' }),
  timezone: Type.String({ description: 'Dates without an offset are read, and days are cut, in this zone.' }),
  created_at: Type.String({ format: 'date-time' }),
});

export interface ProjectRow {
  readonly id: number;
  readonly name: string;
  readonly organization_id: string;
  readonly api_token: string;
  readonly timezone: string;
  readonly created_at: Date;
}

export const describeProject = (row: ProjectRow) => ({
  id: row.id,
  name: row.name,
  organization: row.organization_id,
  api_token: row.api_token,
  timezone: row.timezone,
  created_at: formatTimestamp(row.created_at),
});
