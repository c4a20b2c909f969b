// The JSON Schemas beside the filters are made from the TypeBox ones: UPDATE_SCHEMAS=1 writes them anew.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { configSchema as authz } from "./authz/config.schema.ts";
import { configSchema as mesh } from "./mesh/config.schema.ts";
import { configSchema as ratelimit } from "./ratelimit/config.schema.ts";
import { configSchema as router } from "./router/config.schema.ts";
import { rulesSchema } from "./router/rules.schema.ts";
import { configSchema as telemetry } from "./telemetry/config.schema.ts";

const schemas: Readonly<Record<string, object>> = {
  "authz/config.schema.json": authz,
  "mesh/config.schema.json": mesh,
  "ratelimit/config.schema.json": ratelimit,
  "router/config.schema.json": router,
  "router/rules.schema.json": rulesSchema,
  "telemetry/config.schema.json": telemetry,
};

it.each(Object.entries(schemas))("%s is what its TypeBox schema says", (path, schema) => {
  const file = new URL(path, import.meta.url);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (process.env["UPDATE_SCHEMAS"] === "1") writeFileSync(file, text);
  expect(readFileSync(file, "utf8")).toBe(text);
});

it("no filter's schema is written by hand", () => {
  const found = readdirSync(new URL(".", import.meta.url), { recursive: true, encoding: "utf8" });
  expect(found.filter((path) => path.endsWith(".schema.json")).sort()).toEqual(Object.keys(schemas).sort());
});
