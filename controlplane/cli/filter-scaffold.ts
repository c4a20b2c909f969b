// The text of a new filter: small, whole, and shaped like the filters of this repository.

const pascal = (name: string): string =>
  name
    .split("-")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");

const index = `import "./filter";
// Name the callbacks filter.ts implements, and only those: each one costs an entry into the VM. A forgotten one is a
// build error.
export {
  malloc, proxy_abi_version_0_2_1, proxy_on_configure, proxy_on_context_create, proxy_on_delete,
  proxy_on_response_headers,
} from "as-proxy-wasm-sdk/exports";
`;

const filter = (name: string): string => `// Sets one header on every response. Configuration: config.schema.json.
import {
  Bytes, defineMetric, EMPTY, FilterHeadersStatus, HttpContext, incrementMetric, JsonDocument, literal, MetricType,
  registerRoot, responseHeaders, RootContext,
} from "as-proxy-wasm-sdk";

class ${pascal(name)} extends RootContext {
  header: Bytes = EMPTY;
  value: Bytes = EMPTY;
  responses: u32 = 0;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["header", "value"]);
    this.header = root.get("header").bytes();
    this.value = root.get("value").bytes();
    if (!document.ok) return this.reject(document.error);
    this.responses = defineMetric(MetricType.Counter, literal("${name.replaceAll("-", "_")}_responses"));
    return true;
  }

  override createHttpContext(): HttpContext {
    return new ${pascal(name)}Stream(this);
  }
}

class ${pascal(name)}Stream extends HttpContext {
  constructor(private root: ${pascal(name)}) {
    super();
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    responseHeaders.replace(this.root.header, this.root.value);
    incrementMetric(this.root.responses);
    return FilterHeadersStatus.Continue;
  }
}

registerRoot(() => new ${pascal(name)}());
`;

const schema = (name: string): string =>
  `${JSON.stringify(
    {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: `${name} filter`,
      type: "object",
      additionalProperties: false,
      required: ["header", "value"],
      properties: {
        header: { type: "string", minLength: 1, description: "The response header to set." },
        value: { type: "string", description: "Its value." },
      },
    },
    null,
    2,
  )}\n`;

const example = '{ "header": "x-hello", "value": "world" }\n';

/**
 * What the filter does, as data: its test runs them in the Wasm host, test/e2e/filters/scenarios-on-envoy.test.ts on a
 * real Envoy.
 */
const scenarios = (
  name: string,
  entry: string,
): string => `// What the filter does, as data: run in the Wasm host by ${name}.test.ts and on a real Envoy by
// test/e2e/filters/scenarios-on-envoy.test.ts.
import type { Scenario } from "proxy-wasm-host";

const module = "${entry.replace(/^filters\//, "")}";

export const scenarios: readonly Scenario[] = [
  {
    name: "${name}",
    module,
    configuration: { header: "x-hello", value: "world" },
    exchanges: [
      { expect: { status: 200, headers: { "x-hello": "world" } } },
      {
        name: "replaces upstream's",
        upstream: { status: 404, headers: { "x-hello": ["a", "b"] } },
        expect: { status: 404, headers: { "x-hello": "world" } },
      },
    ],
    metrics: { ${name.replaceAll("-", "_")}_responses: 2 },
  },
  {
    name: "${name} names a mistake",
    module,
    configuration: { header: "x-hello" },
    refused: /value: expected a string/,
    exchanges: [],
  },
];
`;

const test = (name: string, entry: string): string => `import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { compileFilter } from "as-proxy-wasm-sdk/compile.mjs";
import { createHost, runInHost, scenarioProblems } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { scenarios } from "./${name}.scenarios.ts";

const text = (file: string): string => readFileSync(new URL(file, import.meta.url), "utf8");
const configuration = text("example.json");
let module: Uint8Array;

beforeAll(async () => {
  const built = await compileFilter({ entry: "${entry}/index.ts" });
  if (!built.ok) throw new Error(built.errors);
  module = built.binary;
}, 180_000);

describe("${name}", () => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", (_name, scenario) => {
    expect(scenarioProblems(scenario, runInHost(scenario, module))).toEqual([]);
  });

  it("asks little of the host: one header, one counter", () => {
    const host = createHost({ module, configuration, strict: { hostCalls: 2, allocations: 0 } });
    host.run();
    host.verify();
  });

  it("has a schema that takes the example", () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(text("config.schema.json")));
    expect(validate(JSON.parse(configuration))).toBe(true);
    expect(validate({ header: "x-hello" })).toBe(false);
  });

  it("needs no more memory after 10,000 requests", () => {
    const host = createHost({ module, configuration, logLevel: "warn" });
    host.run();
    const before = host.memoryBytes();
    for (let i = 0; i < 10_000; i++) host.run();
    expect(host.memoryBytes()).toBe(before);
  });
});
`;

const readme = (name: string, entry: string): string => `# ${name}

Sets one header on every response and counts them (\`wasmcustom.${name.replaceAll("-", "_")}_responses\`).

    ${example.trim()}

| file | what |
|---|---|
| \`filter.ts\` | the filter: configuration, then one object per stream |
| \`index.ts\` | which callbacks the module exports |
| \`config.schema.json\`, \`example.json\` | its configuration |
| \`${name}.scenarios.ts\` | what it does, as data: requests and what is expected of them |
| \`${name}.test.ts\` | runs the scenarios, and more, on the module itself in the Wasm host |

    npx vitest run --project filters ${entry}    # test
    node filters/build.mjs                        # build every filter into filters/build
    npx vitest run --project e2e test/e2e/filters/scenarios-on-envoy.test.ts -t "${name}"    # on a real Envoy

The guide: docs/writing-filters.md. The SDK: filters/sdk/README.md.
`;

/** The files of a new filter by their names. `entry` is its folder, relative to the repository. */
export function scaffoldFilter(name: string, entry: string): ReadonlyMap<string, string> {
  return new Map([
    ["index.ts", index],
    ["filter.ts", filter(name)],
    ["config.schema.json", schema(name)],
    ["example.json", example],
    [`${name}.scenarios.ts`, scenarios(name, entry)],
    [`${name}.test.ts`, test(name, entry)],
    ["README.md", readme(name, entry)],
  ]);
}
