import { Type } from 'typebox';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import { isoOfDateTime64 } from './window.ts';

const NEWEST = 20;

export interface WantedError {
  readonly teamId: number;
  readonly pluginConfigId: string;
  readonly errorType: string;
  readonly category?: string | undefined;
  readonly jobId?: string | undefined;
}

export const ErrorDetailsSchema = Type.Object({
  result: Type.Array(
    Type.Object({
      timestamp: Type.String({ format: 'date-time' }),
      error_uuid: Type.String({ format: 'uuid' }),
      error_type: Type.String(),
      error_details: Type.Unknown({
        description: 'What was stored with the error, any JSON; null = nothing.',
      }),
    }),
  ),
});

interface Row {
  readonly timestamp: string;
  readonly error_uuid: string;
  readonly error_type: string;
  readonly error_details: string;
}

/** The newest occurrences of one error (contract.md §11.2), at any time. */
export async function readErrorDetails(warehouse: Pick<Warehouse, 'rows'>, wanted: WantedError) {
  const filters = [
    'team_id = {team:Int64}',
    'plugin_config_id = {config:Int64}',
    'error_type = {error:String}',
    ...(wanted.category === undefined ? [] : ['category = {category:String}']),
    ...(wanted.jobId === undefined ? [] : ['job_id = {job:String}']),
  ];
  const rows = await warehouse.rows<Row>({
    sql: `SELECT timestamp, error_uuid, error_type, error_details FROM app_metrics WHERE ${filters.join(' AND ')}
          ORDER BY timestamp DESC, error_uuid DESC LIMIT ${NEWEST}`,
    params: {
      team: wanted.teamId,
      config: wanted.pluginConfigId,
      error: wanted.errorType,
      ...(wanted.category === undefined ? {} : { category: wanted.category }),
      ...(wanted.jobId === undefined ? {} : { job: wanted.jobId }),
    },
  });
  return {
    result: rows.map((row) => ({
      ...row,
      timestamp: isoOfDateTime64(row.timestamp),
      error_details: parsed(row.error_details),
    })),
  };
}

/** Whoever wrote the row wrote the text: what is no JSON is shown as text. */
function parsed(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
