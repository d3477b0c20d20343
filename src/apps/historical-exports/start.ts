import { Temporal } from 'temporal-polyfill';
import { SluiceError } from '../../errors/error.ts';
import type { Project } from '../../http/endpoint.ts';
import type { ApiPorts } from '../api-ports.ts';
import { findConfig } from '../plugin-configs/store.ts';
import type { AppsPorts } from '../ports.ts';
import { JOB_TYPE } from './activity.ts';
import { createHistoricalExport } from './create.ts';
import { checkLimits } from './limits.ts';

/** The job of the request's body, as sent. */
export interface SentJob {
  readonly type?: unknown;
  readonly payload?: unknown;
  readonly operation?: unknown;
}

const MOST_PARALLEL = 100;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

const refuse = (attr: string | null, detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr, detail });

/**
 * Starts a historical export of the project's local days, both inclusive (contract.md §11.5). Throws 400 for a job that is none,
 * `not_found` for another project's plugin config, and as `checkLimits`.
 */
export async function startHistoricalExport(
  ports: AppsPorts & Pick<ApiPorts, 'maxHistoricalExports'>,
  userId: number,
  project: Project,
  id: string | undefined,
  job: SentJob,
): Promise<void> {
  const config = await findConfig(ports.db, project.id, id);
  if (typeof job.type !== 'string' || job.type === '') throw refuse(null, 'The type of the job is missing.');
  if (job.type !== JOB_TYPE) throw refuse(null, `The only job is "${JOB_TYPE}".`);
  if (job.operation !== undefined && job.operation !== 'start') {
    throw refuse('job__operation', 'The only operation is "start".');
  }
  const payload = readPayload(job.payload, project.timezone);
  const wanted = {
    organizationId: project.organizationId,
    teamId: project.id,
    userId,
    pluginConfigId: config.id,
    payload: { dateRange: payload.dateRange, parallelism: payload.parallelism },
    eventFrom: payload.from,
    eventTo: payload.to,
    parallelism: payload.parallelism,
    arrivalBefore: await ports.arrivedBefore(project.id),
  };
  await ports.db.transaction().execute(async (trx) => {
    await checkLimits(trx, wanted, ports.maxHistoricalExports);
    await createHistoricalExport(trx, ports, wanted);
  });
}

function readPayload(sent: unknown, zone: string) {
  if (sent === undefined || sent === null) throw new SluiceError('required', { attr: 'job__payload' });
  if (typeof sent !== 'object' || Array.isArray(sent)) {
    throw new SluiceError('not_a_dict', { attr: 'job__payload' });
  }
  const { dateRange, parallelism } = sent as { dateRange?: unknown; parallelism?: unknown };
  return { ...readDates(dateRange, zone), parallelism: readParallelism(parallelism) };
}

function readDates(sent: unknown, zone: string) {
  const attr = 'job__payload__dateRange';
  if (sent === undefined || sent === null) throw new SluiceError('required', { attr });
  if (!Array.isArray(sent) || sent.length !== 2) throw refuse(attr, 'Two dates are wanted: [first, last].');
  const [first, last] = sent.map((each) => readDate(each, attr)) as [Temporal.PlainDate, Temporal.PlainDate];
  if (Temporal.PlainDate.compare(first, last) > 0) throw refuse(attr, 'The first day is after the last.');
  const midnight = (date: Temporal.PlainDate) => date.toZonedDateTime(zone).epochMilliseconds;
  return {
    dateRange: [first.toString(), last.toString()],
    from: midnight(first),
    to: midnight(last.add({ days: 1 })),
  };
}

/** Days that the events table can hold. */
function readDate(sent: unknown, attr: string): Temporal.PlainDate {
  const text = typeof sent === 'string' ? sent.trim() : '';
  const year = Number(text.slice(0, 4));
  if (!DATE.test(text) || year < 1970 || year > 2200) {
    throw refuse(attr, 'Dates are written YYYY-MM-DD, of the years 1970 to 2200.');
  }
  try {
    return Temporal.PlainDate.from(text);
  } catch (cause) {
    throw new SluiceError('invalid_input', { attr, detail: 'There is no such day.', cause });
  }
}

function readParallelism(sent: unknown): number {
  const attr = 'job__payload__parallelism';
  if (sent === undefined || sent === null) return 1;
  const number = typeof sent === 'string' && /^\d{1,9}$/.test(sent) ? Number(sent) : sent;
  if (typeof number !== 'number' || !Number.isInteger(number))
    throw refuse(attr, 'A valid integer is required.');
  if (number < 1) throw new SluiceError('min_value', { attr });
  if (number > MOST_PARALLEL) throw new SluiceError('max_value', { attr });
  return number;
}
