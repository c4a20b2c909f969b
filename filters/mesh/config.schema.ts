// The mesh filter's configuration: those of its functions. config.schema.json comes from here.
import { configSchema as authz } from "../authz/config.schema.ts";
import { configSchema as ratelimit } from "../ratelimit/config.schema.ts";
import { configSchema as router } from "../router/config.schema.ts";
import { DIALECT, fields, opt, reference } from "../schema.ts";
import { configSchema as telemetry } from "../telemetry/config.schema.ts";

export const configSchema = fields(
  {
    authz: opt(reference(authz, "../authz/config.schema.json")),
    ratelimit: opt(reference(ratelimit, "../ratelimit/config.schema.json")),
    router: opt(reference(router, "../router/config.schema.json")),
    telemetry: opt(reference(telemetry, "../telemetry/config.schema.json")),
  },
  { $schema: DIALECT, title: "Scrim mesh filter: up to four functions in one module", minProperties: 1 },
);
