// The TLS credentials that a proxy's listeners and clusters name, as secrets for SDS.
import type { Secret } from "../../protos/build/envoy.ts";
import type { MeshObject } from "../model/object.ts";
import type { World } from "../world/world.ts";
import { authoritiesOf, credentialOf } from "../translate/resolve/credential.ts";
import { interned } from "../world/interned.ts";
import { memoized } from "../world/memo.ts";

const CREDENTIAL = /^kubernetes:\/\/(?:([^/]+)\/)?([^/]+)$/;

/**
 * Returns the secrets by name. `names` are those that the proxy's own listeners and clusters refer to
 * (`kubernetes://<name>` is of the proxy's namespace, `kubernetes://<namespace>/<name>` of another; what ends in
 * `-cacert` and is no certificate with a key, authorities): which of them it may have was decided when these were made.
 */
export function namedCredentials(
  world: World,
  proxyNamespace: string,
  names: Iterable<string>,
): ReadonlyMap<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const name of names) {
    const [, namespace = proxyNamespace, secretName] = CREDENTIAL.exec(name) ?? [];
    const object = secretName === undefined ? undefined : world.get("Secret", namespace, secretName);
    const pair = object === undefined ? undefined : certificateOf(object);
    if (pair !== undefined) secrets.set(name, pair(name));
    else if (secretName !== undefined) {
      const authorities = authoritiesOf(world, namespace, secretName);
      if (authorities !== undefined) secrets.set(name, authoritySecret({ name, authorities }));
    }
  }
  return secrets;
}

const authoritySecret = interned(
  (secret: { readonly name: string; readonly authorities: string }) => secret,
  ({ name, authorities }): Secret => ({ name, validationContext: { trustedCa: { inlineString: authorities } } }),
);

/** Per Secret object, so that one that did not change is one message. */
const certificateOf = memoized((object: MeshObject<"Secret">): ((name: string) => Secret) | undefined => {
  const credential = credentialOf(object);
  if (credential === undefined) return undefined;
  const { certificate, key } = credential;
  const made = new Map<string, Secret>();
  return (name) => {
    const known = made.get(name) ?? {
      name,
      tlsCertificate: { certificateChain: { inlineString: certificate }, privateKey: { inlineString: key } },
    };
    made.set(name, known);
    return known;
  };
});
