import { v7 } from 'uuid';
import { activityRecorder } from '../../src/accounts/activity.ts';
import { UserSchema } from '../../src/accounts/user.ts';
import type { ApiPorts } from '../../src/apps/api-ports.ts';
import { apps } from '../../src/apps/catalogue/index.ts';
import { appsEndpoints } from '../../src/apps/endpoints.ts';
import { dailyOutcomes } from '../../src/batch-exports/runs/outcomes.ts';
import { createArrivedBefore } from '../../src/capture/arrived-before.ts';
import { createStamps, type Stamps } from '../../src/capture/stamps.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { TestClock } from './batch-exports-kit.ts';
import { type Api, seededBytes, startApi } from './start-api.ts';

export interface AppsApi extends Api {
  readonly warehouse: TestWarehouse['warehouse'];
  readonly clock: TestClock;
  /** Of the events that would be captured. */
  readonly stamps: Stamps;
  readonly ports: ApiPorts;
  /** Rows straight into the warehouse's app_metrics; of plugin config 1 of the first project unless they say otherwise. */
  count(...rows: readonly MetricRow[]): Promise<void>;
  /** The first project's time zone from here on. */
  zone(name: string): Promise<void>;
}

export interface MetricRow {
  /** UTC, `2021-12-05 00:10:00`, with microseconds if need be. */
  readonly timestamp: string;
  readonly team_id?: number;
  readonly plugin_config_id?: number;
  readonly category?: string;
  readonly job_id?: string;
  readonly successes?: number;
  readonly successes_on_retry?: number;
  readonly failures?: number;
  readonly error_uuid?: string;
  readonly error_type?: string;
  readonly error_details?: string;
}

export const MOST_HISTORICAL_EXPORTS = 6;

/** Where no address is looked up by a test: one public name and one private one. */
const ADDRESSES: Readonly<Record<string, string>> = {
  'hooks.example': '93.184.216.34',
  'inside.example': '10.0.0.7',
};

/** The HTTP side of apps on real embedded engines, at 2021-12-05T13:23:00Z; what delivers is left to the test. */
export async function openApps(): Promise<AppsApi> {
  const clock = new TestClock('2021-12-05T13:23:00Z');
  const stamps = createStamps(clock, 0);
  const embedded = await startTestWarehouse();
  const { warehouse } = embedded;
  const guard = createHostGuard([], async (host) => {
    const address = ADDRESSES[host];
    if (address) return [{ address, family: 4 }];
    throw new Error('no such name');
  });
  let ports: ApiPorts | undefined;
  const api = await startApi(
    ({ database, accounts }) => {
      const sealer = createSealer(['a secret for tests of at least 32 bytes'], seededBytes('seal'));
      ports = {
        db: database.kysely,
        warehouse,
        clock,
        newId: () => v7(),
        apps,
        seal: sealer.seal,
        unseal: sealer.unseal,
        isCurrent: sealer.isCurrent,
        problemWithHost: guard.problemWith,
        recordActivity: activityRecorder(clock),
        onTurnedOn: stamps.passed,
        arrivedBefore: createArrivedBefore({ clock, stamps, warehouse }),
        maxHistoricalExports: MOST_HISTORICAL_EXPORTS,
        runOutcomes: (teamId, exportId, range) => dailyOutcomes(database.kysely, teamId, exportId, range),
        organizationOf: accounts.organizationOf,
        people: { schema: UserSchema, users: accounts.users },
      };
      return appsEndpoints(ports);
    },
    { clock },
  );
  if (!ports) throw new Error('no ports');
  return {
    ...api,
    warehouse,
    clock,
    stamps,
    ports,
    count: (...rows) =>
      warehouse.insert({
        table: 'app_metrics',
        format: 'JSONEachRow',
        body: Buffer.from(
          rows
            .map((row) => JSON.stringify({ team_id: api.projectId, plugin_config_id: 1, ...row }))
            .join('\n'),
        ),
      }),
    zone: async (name) => {
      const answer = await api.call('PATCH', `/api/projects/${api.projectId}/`, { json: { timezone: name } });
      if (answer.status !== 200) throw new Error(`the zone was refused: ${answer.text}`);
    },
    close: async () => {
      await api.close();
      await embedded.close();
    },
  };
}
