import type { App } from './app.ts';
import { replicator } from './replicator.ts';
import { s3Archive } from './s3-archive.ts';
import { webhook } from './webhook.ts';

/** Every app there is, by its id. A new app is a file and a line here. */
export const apps: ReadonlyMap<number, App> = new Map(
  [webhook, replicator, s3Archive].map((app) => [app.id, app]),
);
