// The access that kubeconfig files give (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/):
// what proves who asks may be a certificate, a token, an OIDC session or a program's answer, which the library knows.
import { existsSync, readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { parse } from "yaml";
import { type Failure, failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { ClusterAccess } from "../settings/cluster-access.ts";
import type { Access, Credentials } from "./credentials.ts";

type Settings = Extract<ClusterAccess, { kind: "kubeconfig" }>;

/** Returns the access of a context; a failure where the files cannot be read or do not have it. */
export function openKubeconfig(settings: Settings): Access | Failure<"no-access"> {
  const first = load(settings);
  if (first.kind === "failed") return first;
  let current: Loaded | undefined = first;
  return {
    namespace: first.namespace,
    async credentials() {
      const loaded = current ?? load(settings);
      if (loaded.kind === "failed") return failed("no-credentials", loaded.message);
      current = loaded;
      return credentialsOf(loaded).catch((error: unknown) =>
        failed("no-credentials", `${settings.paths.join(":")} gives no credentials: ${(error as Error).message}`),
      );
    },
    renew() {
      current = undefined;
    },
  };
}

interface Loaded {
  readonly kind: "loaded";
  readonly config: KubeConfig;
  readonly server: string;
  readonly proxied: boolean;
  readonly namespace: string;
  readonly tokenFile: string | undefined;
}

function load({ paths, context }: Settings): Loaded | Failure<"no-access"> {
  const there = paths.filter((path) => existsSync(path));
  const where = paths.join(":");
  if (there.length === 0) return failed("no-access", `there is no kubeconfig at ${where}`);
  let config: KubeConfig;
  try {
    config = merged(there);
  } catch (error) {
    return failed("no-access", `the kubeconfig at ${where} cannot be read: ${(error as Error).message}`);
  }
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  const chosen = name ? config.getContextObject(name) : null;
  if (!chosen)
    return failed("no-access", `the kubeconfig at ${where} has no context ${name || "that is the current one"}`);
  const cluster = config.getCurrentCluster();
  if (!cluster) return failed("no-access", `the kubeconfig at ${where} has no cluster ${chosen.cluster}`);
  return {
    ...{ kind: "loaded", config, server: cluster.server, proxied: cluster.proxyUrl !== undefined },
    ...{ namespace: chosen.namespace || "default", tokenFile: tokenFileOf(there, chosen.user) },
  };
}

/** Of two entries of one name the first counts, and the first current context. */
function merged(paths: readonly string[]): KubeConfig {
  const all = new KubeConfig();
  all.loadFromOptions({ clusters: [], users: [], contexts: [], currentContext: "" });
  for (const path of paths) {
    const one = new KubeConfig();
    one.loadFromFile(path);
    const isNew = (known: readonly { readonly name: string }[]) => (entry: { readonly name: string }) =>
      !known.some(({ name }) => name === entry.name);
    all.loadFromOptions({
      clusters: [...all.clusters, ...one.clusters.filter(isNew(all.clusters))],
      users: [...all.users, ...one.users.filter(isNew(all.users))],
      contexts: [...all.contexts, ...one.contexts.filter(isNew(all.contexts))],
      currentContext: all.currentContext || one.currentContext,
    });
  }
  return all;
}

/** The library does not know the field. */
function tokenFileOf(paths: readonly string[], user: string): string | undefined {
  for (const path of paths) {
    const file: unknown = parse(readFileSync(path, "utf8"));
    const users: unknown = isJsonObject(file) ? file["users"] : undefined;
    const entry: unknown = Array.isArray(users)
      ? users.find((one) => isJsonObject(one) && one["name"] === user)
      : undefined;
    if (!isJsonObject(entry) || !isJsonObject(entry["user"])) continue;
    const { tokenFile } = entry["user"];
    return typeof tokenFile === "string" ? tokenFile : undefined;
  }
  return undefined;
}

async function credentialsOf({ config, server, proxied, tokenFile }: Loaded): Promise<Credentials> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  if (options.auth) headers.push(["authorization", `Basic ${Buffer.from(options.auth).toString("base64")}`]);
  if (tokenFile !== undefined) headers.push(["authorization", `Bearer ${readFileSync(tokenFile, "utf8").trim()}`]);
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  return {
    kind: "credentials",
    server,
    headers: Object.fromEntries(headers) as Record<string, string>,
    tls: {
      ...(ca != null && { ca: String(ca) }),
      ...(cert != null && { cert: String(cert) }),
      ...(key != null && { key: String(key) }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    },
    ...(proxied && typeof options.agent === "object" && { proxyAgent: options.agent }),
  };
}
