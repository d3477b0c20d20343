import { Type } from 'typebox';

const LARGEST = 2 ** 31 - 1;
const Text = (maxLength: number) => Type.Optional(Type.Union([Type.String({ maxLength }), Type.Null()]));

const changeable = {
  enabled: Type.Optional(Type.Boolean()),
  order: Type.Optional(Type.Integer({ minimum: -LARGEST, maximum: LARGEST })),
  config: Type.Optional(
    Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.String()], {
      description: 'By the names of the plugin’s config_schema; keys that are not sent stay as they are.',
    }),
  ),
  name: Text(400),
  description: Text(1000),
};

export const CreateBody = Type.Object({
  plugin: Type.Integer({ description: 'The id of an app of the catalogue.', 'x-reference': true }),
  ...changeable,
});

export const ChangeBody = Type.Object(changeable);
