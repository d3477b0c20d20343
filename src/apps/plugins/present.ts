import { Type } from 'typebox';
import type { Organization } from '../api-ports.ts';
import type { App, AppField } from '../catalogue/app.ts';
import { JOB_TYPE } from '../historical-exports/activity.ts';

const Nothing = Type.Null();
const Maybe = Type.Union([Type.String(), Type.Null()]);

const FieldSchema = Type.Object({
  key: Type.String(),
  name: Type.String(),
  type: Type.String({ description: 'string, choice, boolean or integer' }),
  required: Type.Boolean(),
  secret: Type.Boolean({ description: 'Sealed at rest and never returned.' }),
  default: Type.Union([Type.String(), Type.Boolean(), Type.Number(), Type.Null()]),
  hint: Type.String(),
  order: Type.Integer(),
  choices: Type.Optional(Type.Array(Type.String())),
});

/** Names of parameters → what they are, for a form. */
const JobSchema = Type.Object({
  payload: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())),
});

export const PluginSchema = Type.Object({
  id: Type.Integer(),
  plugin_type: Type.String(),
  name: Type.String(),
  description: Type.String(),
  url: Maybe,
  icon: Maybe,
  config_schema: Type.Array(FieldSchema),
  tag: Maybe,
  source: Nothing,
  latest_tag: Maybe,
  is_global: Type.Boolean(),
  organization_id: Type.String({ format: 'uuid' }),
  organization_name: Type.String(),
  capabilities: Type.Object({
    jobs: Type.Array(Type.String()),
    methods: Type.Array(Type.String()),
    scheduled_tasks: Type.Array(Type.String()),
  }),
  metrics: Type.Record(Type.String(), Type.Unknown()),
  public_jobs: Type.Record(Type.String(), JobSchema),
});

/** The parameters of a historical export, as forms ask for them. */
const PARAMETERS = {
  dateRange: { title: 'Days, both inclusive', type: 'daterange', required: true },
  parallelism: { title: 'Batches at once', type: 'number', required: false, default: 1 },
};

/** An app as upstream shows a plugin: it is built in, so it has no source, tag or icon to load. */
export const presentPlugin = (app: App, organization: Organization) => ({
  id: app.id,
  plugin_type: 'inline',
  name: app.name,
  description: app.description,
  url: `inline://${app.slug}`,
  icon: null,
  config_schema: app.fields.map(presentField),
  tag: null,
  source: null,
  latest_tag: null,
  is_global: true,
  organization_id: organization.id,
  organization_name: organization.name,
  capabilities: { jobs: [JOB_TYPE], methods: app.methods, scheduled_tasks: [] },
  metrics: {},
  public_jobs: { [JOB_TYPE]: { payload: PARAMETERS } },
});

const presentField = (field: AppField, order: number) => ({
  key: field.key,
  name: field.title,
  type: field.type,
  required: field.required,
  secret: field.secret ?? false,
  default: field.default ?? null,
  hint: field.hint ?? '',
  order,
  ...(field.choices && { choices: field.choices }),
});
