// A mesh at an admin address: `scrim up`, `scrim serve`, or one whose pages somebody made reachable.
import { httpCall } from "../../local/http-call.ts";
import { commandFailure } from "../exit-codes.ts";
import { parseAdminUrl } from "./admin-url.ts";
import type { AskedMesh } from "./asked-mesh.ts";

/** Longest wait for an answer. */
export const ANSWER_WITHIN_MS = 15_000;

/** Returns it. Throws CommandFailure where the URL is none. */
export function createLocalMesh(adminUrl: string, namespace: string | undefined): AskedMesh {
  const { address, port } = parseAdminUrl(adminUrl);
  const call = (host: string, at: number, path: string, rest: object = {}, headers: object = {}) =>
    httpCall({
      ...{ host, port: at, path, timeoutMs: ANSWER_WITHIN_MS, ...rest },
      headers: { host: `${host}:${at}`, ...headers },
    });
  return {
    namespace,
    whenSilent:
      `the mesh's admin address ${adminUrl} does not answer: is the mesh running? ` +
      "(`scrim up` prints the address; give it with --admin URL)",
    admin: async ({ path, headers, ...rest }) => [await call(address, port, path, rest, headers)],
    async envoy(proxy, path) {
      if (proxy.envoyAdmin === "")
        throw commandFailure(
          "unreachable",
          `The mesh does not know where the admin page of ${proxy.name}.${proxy.namespace} is: its Envoy was not ` +
            "started by `scrim up`.",
        );
      const envoy = parseAdminUrl(`http://${proxy.envoyAdmin}`);
      return call(envoy.address, envoy.port, path);
    },
  };
}
