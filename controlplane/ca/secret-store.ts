// consumes: Secrets of the control plane's namespace, of Istio's form: `cacerts`, which people make, else
// `istio-ca-secret`
// produces: what the authority of a cluster signs with; the second Secret, made once however many replicas start
// never does: take up what does not hold together, or make a root where people meant to bring theirs
import { isJsonObject } from "../model/json-object.ts";
import { type Failure, failed } from "../model/failure.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { resourcePath } from "../kubernetes/resource-path.ts";
import { describeAnswer } from "../kubernetes/status.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createKey, createRoot } from "./root.ts";
import { readSigningIdentity, type SigningFault, type SigningFiles, type SigningIdentity } from "./signing-identity.ts";
import type { SigningStore } from "./signing-store.ts";

/** What people plug in (https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/). */
export const PLUGGED_IN_SECRET = "cacerts";
/** What is made where they did not. */
export const SELF_SIGNED_SECRET = "istio-ca-secret";

interface SecretStoreDeps {
  readonly api: Pick<ApiClient, "request">;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Data = Readonly<Record<string, string>>;
/** Why what is there is not signed with. */
type Fault = SigningFault | "forbidden";
type Read = { readonly kind: "secret"; readonly data: Data } | "missing" | Failure<"unreachable" | "forbidden">;
type Found = SigningIdentity | Failure<Fault | "unreachable">;

const RETRY_MS = 1_000;
const LOOK_AGAIN_MS = 10_000;

/** Returns the store that the Secrets of a namespace are. */
export function secretStore(namespace: string, { api, clock, logger }: SecretStoreDeps): SigningStore {
  const secrets = createSecrets(namespace, api);
  let known: { readonly name: string; readonly data: Data } | undefined;
  const said = createSaid((line) => logger.warn({}, line));

  const find = async (trustDomain: string): Promise<Found> => {
    for (const name of [PLUGGED_IN_SECRET, SELF_SIGNED_SECRET]) {
      const read = await secrets.read(name);
      if (read === "missing") continue;
      if (read.kind === "failed") return read;
      const identity = identityIn(`Secret ${namespace}/${name}`, read.data, clock.nowMs());
      if (identity.kind !== "failed") known = { name, data: read.data };
      return identity;
    }
    const made = await secrets.create(SELF_SIGNED_SECRET, newRoot(trustDomain, clock.nowMs()));
    // Made by this replica or by another at the same time: what is there counts for all of them.
    return made === undefined ? find(trustDomain) : made;
  };

  const lookAgain = async (onReplaced: (identity: SigningIdentity) => void): Promise<void> => {
    if (known === undefined) return;
    const plugged = await secrets.read(PLUGGED_IN_SECRET);
    const read = plugged === "missing" && known.name === SELF_SIGNED_SECRET ? await secrets.read(known.name) : plugged;
    if (read === "missing") {
      said(`the Secret ${namespace}/${known.name} is gone; what it held signs until the control plane restarts`);
      if (known.name === SELF_SIGNED_SECRET) await secrets.create(known.name, known.data);
      return;
    }
    if (read.kind === "failed") return;
    if (isSame(read.data, known.data)) return said("");
    const name = plugged === "missing" ? SELF_SIGNED_SECRET : PLUGGED_IN_SECRET;
    const identity = identityIn(`Secret ${namespace}/${name}`, read.data, clock.nowMs());
    if (identity.kind === "failed") return said(`${identity.message}; what was read before goes on signing`);
    said("");
    known = { name, data: read.data };
    onReplaced(identity);
  };

  return {
    async open(trustDomain, signal) {
      for (;;) {
        const found = await find(trustDomain);
        if (found.kind !== "failed" || found.code !== "unreachable" || signal.aborted) return found;
        said(`the CA's Secrets cannot be read yet: ${found.message}`);
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    },
    follow(onReplaced, signal) {
      void (async () => {
        while (!signal.aborted) {
          await clock.sleep(LOOK_AGAIN_MS, signal).catch(() => undefined);
          if (!signal.aborted) await lookAgain(onReplaced);
        }
      })();
    },
  };
}

function createSecrets(namespace: string, api: Pick<ApiClient, "request">) {
  const path = (name?: string) =>
    resourcePath({ group: "", version: "v1", plural: "secrets", namespace, ...(name && { name }) });
  return {
    async read(name: string): Promise<Read> {
      const answer = await api.request({ method: "GET", path: path(name) });
      if (answer.kind === "failed") return answer;
      if (answer.status === 404) return "missing";
      if (answer.status === 401 || answer.status === 403) return failed("forbidden", describeAnswer(answer));
      if (answer.status !== 200) return failed("unreachable", describeAnswer(answer));
      return { kind: "secret", data: dataOf(answer.body) };
    },
    /** Undefined when it is there, whoever made it. */
    async create(name: string, data: Data): Promise<Failure<"unreachable" | "forbidden"> | undefined> {
      const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
      const answer = await api.request({
        method: "POST",
        path: path(),
        body: {
          ...{ apiVersion: "v1", kind: "Secret", type: "istio.io/ca-root", metadata: { name, namespace } },
          data: Object.fromEntries(encoded) as object,
        },
      });
      if (answer.kind === "failed") return answer;
      if (answer.status === 201 || answer.status === 409) return undefined;
      if (answer.status === 401 || answer.status === 403) return failed("forbidden", describeAnswer(answer));
      return failed("unreachable", describeAnswer(answer));
    },
  };
}

function dataOf(body: unknown): Data {
  const data = isJsonObject(body) && isJsonObject(body["data"]) ? body["data"] : {};
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), "base64").toString("utf8")]),
  );
}

/** Says each line once, until another one is due; "" says that all is well again. */
function createSaid(say: (line: string) => void): (line: string) => void {
  let last = "";
  return (line) => {
    if (line !== last && line !== "") say(line);
    last = line;
  };
}

function isSame(one: Data, other: Data): boolean {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return names.every((name) => one[name] === other[name]);
}

/** In Istio's form, or as a Secret of type `kubernetes.io/tls` with `ca.crt`, as cert-manager makes them. */
function identityIn(secret: string, data: Data, nowMs: number): SigningIdentity | Failure<SigningFault> {
  if (data["ca-key.pem"] === undefined && data["tls.key"] !== undefined) {
    const { "tls.crt": chain = "", "tls.key": key, "ca.crt": roots = "" } = data;
    const files = { "ca-cert.pem": chain, "ca-key.pem": key, "cert-chain.pem": chain, "root-cert.pem": roots };
    const keys = {
      "ca-cert.pem": "tls.crt",
      "ca-key.pem": "tls.key",
      "cert-chain.pem": "tls.crt",
      "root-cert.pem": "ca.crt",
    };
    return readSigningIdentity(files, (file) => `${keys[file]} of the ${secret}`, nowMs);
  }
  const {
    "ca-cert.pem": own = "",
    "ca-key.pem": key = "",
    "cert-chain.pem": chain = "",
    "root-cert.pem": roots,
  } = data;
  const files: SigningFiles = {
    ...{ "ca-cert.pem": own, "ca-key.pem": key, "cert-chain.pem": chain },
    // Istio's own Secret is without: its certificate is the root.
    "root-cert.pem": roots || own,
  };
  return readSigningIdentity(files, (file) => `${file} of the ${secret}`, nowMs);
}

function newRoot(trustDomain: string, nowMs: number): Data {
  const key = createKey();
  const root = createRoot(trustDomain, key, nowMs);
  return { "ca-cert.pem": root, "ca-key.pem": key, "cert-chain.pem": "", "root-cert.pem": root };
}
