// The credential for an image in a Secret of Kubernetes. Messages hold nothing of it.
import { type Failure, failed, isFailed } from "../../model/failure.ts";
import type { MeshObject } from "../../model/object.ts";
import { credentialFor, parseDockerConfig, type RegistryCredential } from "./credentials.ts";
import type { ImageReference } from "./reference.ts";

const FIELDS: Readonly<Record<string, string>> = {
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
  "kubernetes.io/dockercfg": ".dockercfg",
};

/** Returns the credential; a failure goes on after "the Secret default/name". */
export function readPullSecret(
  secret: MeshObject<"Secret"> | undefined,
  reference: ImageReference,
): RegistryCredential | Failure {
  if (secret === undefined)
    return failed("no-pull-secret", "is not there: a pull secret must be in the plugin's namespace");
  const field = FIELDS[secret.spec.type ?? ""];
  if (field === undefined)
    return failed("invalid-pull-secret", "is no pull secret: its type must be kubernetes.io/dockerconfigjson");
  const encoded = secret.spec.data?.[field];
  const text =
    secret.spec.stringData?.[field] ??
    (encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8"));
  if (text === undefined) return failed("invalid-pull-secret", `has no ${field}`);
  const config = parseDockerConfig(text);
  if (isFailed(config)) return failed("invalid-pull-secret", `has a ${field} that ${config.message}`);
  return credentialFor(config, reference) ?? failed("no-credential", `has no credential for ${reference.registry}`);
}
