// Consumes: the ConfigMap in which an installation left its values, as it changes, and the API server's version.
// Produces: what injection goes by.
// Never does: forget what it knew because it cannot read it at the moment.
import type { ApiClient } from "../kubernetes/api-client.ts";
import { createListWatch } from "../kubernetes/list-watch.ts";
import { resourcePath } from "../kubernetes/resource-path.ts";
import { injectionValues, type InjectionValues } from "../injector/values.ts";
import { isJsonObject } from "../model/json-object.ts";
import { parsePiece } from "../model/yaml.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import type { Clock } from "../telemetry/clock.ts";
import { injectorName } from "./configurations.ts";

export interface InstalledValuesOptions {
  readonly client: Pick<ApiClient, "request" | "watch">;
  /** "" for the one without a name. */
  readonly revision: string;
  /** The control plane's own. */
  readonly namespace: string;
  /** The images' tag where no values say one. */
  readonly version: string;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Told of what cannot be read, a sentence each time. */
  readonly warn: (problem: string) => void;
}

/** The first Kubernetes 1.x in which an init container may go on beside the others, and one wait before it ends. */
const NATIVE_SIDECARS_SINCE = 29;
const SLEEP_SINCE = 30;

/** Returns the values, by default until they are read; resolves when they were looked for. Ends with the signal. */
export async function followInstalledValues(
  options: InstalledValuesOptions,
  signal: AbortSignal,
): Promise<Cell<InjectionValues>> {
  const { client, revision, namespace, version, clock, random, warn } = options;
  const minor = await minorVersion(client);
  const read = (written: unknown): InjectionValues => {
    const values = injectionValues(written, version);
    const nativeSidecars = values.nativeSidecars && minor >= NATIVE_SIDECARS_SINCE;
    return { ...values, revision, namespace, nativeSidecars, canSleep: minor >= SLEEP_SINCE };
  };
  const cell = createCell(read({ revision, global: { istioNamespace: namespace } }));
  const name = injectorName({ revision, namespace: "istio-system" });
  await new Promise<void>((settled) => {
    const reading = createListWatch<string>({
      ...{ client, clock, random },
      paths: [resourcePath({ group: "", version: "v1", plural: "configmaps", namespace })],
      query: { fieldSelector: `metadata.name=${name}` },
      decode: ({ data }) => (isJsonObject(data) && typeof data["values"] === "string" ? data["values"] : undefined),
      onChanges: ({ put }) => {
        for (const { value: text } of put) {
          const parsed = parsePiece(text);
          if (parsed.kind === "broken") return warn(`ConfigMap ${namespace}/${name}: its values are no YAML`);
          const written = parsed.kind === "document" && isJsonObject(parsed.value) ? parsed.value : {};
          cell.set(read({ ...written, revision, global: withNamespace(written["global"], namespace) }));
        }
      },
      onState: (state) => {
        if (state.kind === "unreadable" || state.kind === "forbidden")
          warn(`ConfigMap ${namespace}/${name} cannot be read: ${state.message}`);
        if (state.kind !== "listing") settled();
      },
    });
    signal.addEventListener("abort", () => settled(), { once: true });
    void reading.run(signal);
  });
  return cell;
}

/** Where the control plane runs it knows best. */
function withNamespace(global: unknown, istioNamespace: string): object {
  return { ...(isJsonObject(global) ? global : {}), istioNamespace };
}

/** As in `1.37`; one that cannot be told is taken for a new one. */
async function minorVersion(client: Pick<ApiClient, "request">): Promise<number> {
  const answer = await client.request({ method: "GET", path: "/version" });
  const said = answer.kind === "answer" && isJsonObject(answer.body) ? answer.body["minor"] : undefined;
  const minor = Number.parseInt(String(said), 10);
  return Number.isNaN(minor) ? Number.POSITIVE_INFINITY : minor;
}
