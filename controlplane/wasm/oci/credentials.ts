// Who one is to a registry: from a pull secret, in the form that Docker's client writes.
// Form: https://kubernetes.io/docs/concepts/containers/images/#config-json (names of registries, with globs and paths).
import { createHash } from "node:crypto";
import { type Failure, failed } from "../../model/failure.ts";
import { isJsonObject } from "../../model/json-object.ts";
import type { ImageReference } from "./reference.ts";

export type RegistryCredential =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** Traded for an access token where the registry says. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: "registry-token"; readonly token: string };

/** As Docker's client calls its own registry. */
const DOCKER_HUB = "https://index.docker.io/v1/";

export interface DockerConfig {
  readonly entries: readonly { readonly name: string; readonly credential: RegistryCredential }[];
  /** Programs `docker-credential-<helper>` that keep credentials elsewhere: one for all registries, others for some. */
  readonly store: string | undefined;
  readonly helpers: Readonly<Record<string, string>>;
}

/**
 * Returns the credentials in the text of a `config.json` (`{"auths": {…}}`) or of the older `.dockercfg` (the map
 * alone). Messages hold none of it.
 */
export function parseDockerConfig(text: string): DockerConfig | Failure<"invalid-docker-config"> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failed("invalid-docker-config", "is not JSON");
  }
  if (!isJsonObject(value)) return failed("invalid-docker-config", "is no JSON object");
  const auths = isJsonObject(value["auths"])
    ? value["auths"]
    : "auths" in value || "credsStore" in value || "credHelpers" in value
      ? {}
      : value;
  const entries = Object.entries(auths).flatMap(([name, entry]) => {
    const credential = isJsonObject(entry) ? credentialOf(entry) : undefined;
    return credential === undefined ? [] : [{ name, credential }];
  });
  const { credsStore, credHelpers } = value;
  const helpers = Object.entries(isJsonObject(credHelpers) ? credHelpers : {}).filter(
    (entry): entry is [string, string] => isHelper(entry[1]),
  );
  return { entries, store: isHelper(credsStore) ? credsStore : undefined, helpers: Object.fromEntries(helpers) };
}

/** A name, not a way to some other program. */
function isHelper(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value);
}

/**
 * Returns the helper that knows the credential for an image, and the name it knows the registry by; undefined if none
 * is named.
 */
export function helperFor(
  { store, helpers }: DockerConfig,
  { registry }: ImageReference,
): { readonly helper: string; readonly server: string } | undefined {
  const names =
    registry === "docker.io" ? [DOCKER_HUB, "index.docker.io", "docker.io"] : [registry, `https://${registry}`];
  const server = names.find((name) => Object.hasOwn(helpers, name));
  const helper = server === undefined ? store : helpers[server];
  return helper === undefined ? undefined : { helper, server: server ?? names[0] ?? registry };
}

function credentialOf({
  username,
  password,
  auth,
  identitytoken,
  registrytoken,
}: Record<string, unknown>): RegistryCredential | undefined {
  if (typeof registrytoken === "string" && registrytoken !== "")
    return { kind: "registry-token", token: registrytoken };
  if (typeof identitytoken === "string" && identitytoken !== "")
    return { kind: "identity-token", token: identitytoken };
  if (typeof username === "string" && typeof password === "string") return { kind: "password", username, password };
  const decoded = typeof auth === "string" ? Buffer.from(auth, "base64").toString("utf8") : "";
  const colon = decoded.indexOf(":");
  return colon < 0
    ? undefined
    : { kind: "password", username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Returns the credential for an image: of the entry that names the registry and most of the repository's path. */
export function credentialFor(
  { entries }: DockerConfig,
  { registry, repository }: ImageReference,
): RegistryCredential | undefined {
  const matching = entries.flatMap(({ name, credential }) => {
    const { host, path } = splitName(name);
    const isHost =
      hostMatches(host, registry) ||
      (registry === "docker.io" && ["docker.io", "index.docker.io", "registry-1.docker.io"].includes(host));
    const isPath = path === "" || repository === path || repository.startsWith(`${path}/`);
    return isHost && isPath ? [{ credential, length: path.length }] : [];
  });
  return matching.sort((a, b) => b.length - a.length)[0]?.credential;
}

function splitName(name: string): { readonly host: string; readonly path: string } {
  const [host = "", ...rest] = name
    .replace(/^https?:\/\//, "")
    .replace(/\/+$/, "")
    .split("/");
  const path = rest.join("/");
  return { host, path: /^v[12]$/.test(path) ? "" : path.replace(/^v[12]\//, "") };
}

/** `*.example.com` stands for one label, as Kubernetes reads it. */
function hostMatches(pattern: string, registry: string): boolean {
  const [wanted, given] = [pattern.split("."), registry.split(".")];
  return wanted.length === given.length && wanted.every((label, index) => labelMatches(label, given[index] ?? ""));
}

function labelMatches(pattern: string, label: string): boolean {
  const [head = "", ...rest] = pattern.split("*");
  const tail = rest.at(-1);
  if (tail === undefined) return pattern === label;
  return (
    rest.length === 1 && label.length >= head.length + tail.length && label.startsWith(head) && label.endsWith(tail)
  );
}

/**
 * Returns what stands for a credential in names of cached things: equal for equal ones, and nothing of it can be had
 * back.
 */
export function credentialFingerprint(credential: RegistryCredential | undefined): string {
  return credential === undefined
    ? "anonymous"
    : createHash("sha256")
        .update(JSON.stringify(["scrim pull credential", ...Object.values(credential)]))
        .digest("hex");
}
