// Envoy's foreign functions through the SDK, as data: run in the Wasm host and on a real Envoy, which must answer
// alike.
import { generateKeyPairSync } from "node:crypto";
import type { Scenario } from "proxy-wasm-host";
import { buildFixture } from "./testing/build.ts";

/** Builds the module that calls them. */
export async function prepare(): Promise<void> {
  await buildFixture("foreign");
}

const { publicKey, privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

export const scenarios: readonly Scenario[] = [
  {
    name: "foreign functions",
    module: "fixtures/foreign-fast",
    configuration: { publicKey, privateKey },
    exchanges: ["/admin/x", "/other"].map((path) => ({
      path,
      expect: {
        status: 200,
        body: new RegExp(
          [
            "smaller=1",
            "uncompressed=a{63}",
            "uncompressed nonsense=\\(status 3\\)",
            "route cache=0",
            "signature=256",
            "verified=1",
            "of another text=0",
            "by another hash=0",
            "has a reason=1",
            "with a key that is none=0",
            "has a reason=1",
            "signed by none=0",
            "declared=0",
            "declared again=2",
            "set once=0",
            "set twice=2",
            "declared property=first",
            "set what has no factory=1",
            "set a cluster=0",
            "port is there=0",
            "absent=-1",
            "status=1",
            "of another type=-1",
            "status=4",
            "of another type=1",
            "status=4",
            "broken expression=2",
            `admin=${path === "/other" ? 0 : 1}`,
            "",
          ].join("\n"),
        ),
      },
    })),
  },
];
