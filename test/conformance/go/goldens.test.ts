// A second opinion on everything that the golden scenarios tell a proxy: Go's protobuf and the checks that Envoy's API
// is published with.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { resourceKinds, resourceTypes } from "../../../controlplane/snapshot/type-urls.ts";
import { encode, typeUrlOf } from "../../../protos/codec.ts";
import { scenarioNames, translateScenario } from "../../golden/scenario.ts";
import { type Opinion, runGoClient, withoutGo } from "./clients.ts";

const goldens = join(dirname(fileURLToPath(import.meta.url)), "../../golden");
const line = (name: string, typeUrl: string, value: Uint8Array): string =>
  `${JSON.stringify({ name, typeUrl, value: Buffer.from(value).toString("base64") })}\n`;

function resourcesOf(scenario: string): string {
  const { resources } = translateScenario(join(goldens, scenario));
  return resourceKinds
    .filter((kind) => kind !== "secrets")
    .flatMap((kind) =>
      [...resources[kind]].map(([name, message]) =>
        line(`${scenario} ${kind} ${name}`, resourceTypes[kind].typeUrl, encode(resourceTypes[kind].message, message)),
      ),
    )
    .join("");
}

describe.skipIf(withoutGo !== undefined)(
  `what is emitted, in the eyes of Go${withoutGo === undefined ? "" : `: left out, ${withoutGo}`}`,
  () => {
    it("has no field that Envoy lacks, no value that it refuses, and two deprecated ones", async () => {
      const names = scenarioNames(goldens);
      const { problems, deprecated, messages } = await runGoClient<Opinion>(
        ["inspect"],
        names.map(resourcesOf).join(""),
      );
      expect(problems).toEqual([]);
      expect(deprecated).toEqual([
        "envoy.config.cluster.v3.Cluster.dns_refresh_rate",
        "envoy.config.cluster.v3.Cluster.respect_dns_ttl",
      ]);
      expect(messages["envoy.config.listener.v3.Listener"]).toBeGreaterThanOrEqual(names.length);
    });

    it("would be told of each of these", async () => {
      const cluster = typeUrlOf("Cluster");
      const bad = [
        line("no name", cluster, encode("Cluster", {})),
        line(
          "unknown field",
          cluster,
          Buffer.concat([encode("Cluster", { name: "a" }), Buffer.from([0xf8, 0xff, 0x07, 1])]),
        ),
        line("no such type", "type.googleapis.com/envoy.None", new Uint8Array()),
        line("no Cluster", cluster, Uint8Array.of(0x0a, 0xff)),
      ];
      const { problems } = await runGoClient<Opinion>(["inspect"], bad.join(""));
      expect(problems).toMatchObject(
        [
          /^no name: invalid Cluster\.Name/,
          /^unknown field: 4 bytes/,
          /^no such type: .*not found/,
          /^no Cluster: /,
        ].map((pattern) => expect.stringMatching(pattern) as string),
      );
    });
  },
);
