// The credential for an image in a Secret of Kubernetes. Messages hold nothing of it.
import type { MeshObject } from "../../model/object.ts";
import { credentialFor, parseDockerConfig, type RegistryCredential } from "./credentials.ts";
import type { ImageReference } from "./reference.ts";

export type PullSecret =
  | { readonly ok: true; readonly credential: RegistryCredential }
  | { readonly ok: false; readonly message: string };

const FIELDS: Readonly<Record<string, string>> = {
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
  "kubernetes.io/dockercfg": ".dockercfg",
};

/** Returns the credential; a failure goes on after "the Secret default/name". */
export function readPullSecret(secret: MeshObject<"Secret"> | undefined, reference: ImageReference): PullSecret {
  if (secret === undefined)
    return { ok: false, message: "is not there: a pull secret must be in the plugin's namespace" };
  const field = FIELDS[secret.spec.type ?? ""];
  if (field === undefined)
    return { ok: false, message: "is no pull secret: its type must be kubernetes.io/dockerconfigjson" };
  const encoded = secret.spec.data?.[field];
  const text =
    secret.spec.stringData?.[field] ??
    (encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8"));
  if (text === undefined) return { ok: false, message: `has no ${field}` };
  const config = parseDockerConfig(text);
  if (!config.ok) return { ok: false, message: `has a ${field} that ${config.message}` };
  const credential = credentialFor(config.config, reference);
  return credential === undefined
    ? { ok: false, message: `has no credential for ${reference.registry}` }
    : { ok: true, credential };
}
