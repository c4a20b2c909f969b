// The router filter's own configuration: nothing. config.schema.json comes from here.
import { DIALECT, fields } from "../schema.ts";

export const configSchema = fields(
  {},
  {
    $schema: DIALECT,
    title: "Scrim router filter",
    description: "The plugin itself takes nothing; rules come with each virtual host (rules.schema.json).",
  },
);
