import { parentPort, workerData } from 'node:worker_threads';
import type { Description, ToDescribe } from './description.ts';
import { describeApi } from './openapi.ts';

/** The thread that describes the API, started by `description.ts`: one description, and it is done. */

const { endpoints, version } = workerData as ToDescribe;
const description: Description = await describeApi(endpoints, version);
parentPort?.postMessage(description);
