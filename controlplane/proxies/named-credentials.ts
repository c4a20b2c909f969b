// The TLS credentials that a proxy's listeners and clusters name, as secrets for SDS.
import { dirname } from "node:path";
import type { CertificateValidationContext, Secret, TlsCertificate } from "../../protos/build/envoy.ts";
import { isFailed } from "../model/failure.ts";
import {
  type Authorities,
  AUTHORITIES_SUFFIX,
  authoritiesNamed,
  CREDENTIAL,
  type Credential,
  credentialNamed,
} from "../translate/resolve/credential.ts";
import { AUTHORITIES_FILES, CERTIFICATE_FILES } from "../translate/resolve/gateway-tls.ts";
import { memoized } from "../world/memo.ts";
import type { World } from "../world/world.ts";
import type { FileOffers } from "./refused-files.ts";

/**
 * Returns the secrets by name. `names` are those that the proxy's own listeners and clusters refer to: Secrets of its
 * namespace (`kubernetes://shop-cert`, and `kubernetes://shop-cert-cacert` for the authorities that belong to it) and
 * files of its own (`file-cert:/c.pem~/k.pem`, `file-root:/ca.pem`, `file-root:/ca.pem~/crl.pem`), which its Envoy
 * reads itself, whenever they are replaced; `offers`: how often these were offered anew.
 */
export function namedCredentials(
  world: World,
  namespace: string,
  names: Iterable<string>,
  offers: FileOffers = new Map(),
): ReadonlyMap<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const name of names) {
    const secret = secretNamed(world, namespace, name, offers.get(name) ?? 0);
    if (secret !== undefined) secrets.set(name, secret);
  }
  return secrets;
}

function secretNamed(world: World, namespace: string, name: string, offer: number): Secret | undefined {
  if (name.startsWith(CERTIFICATE_FILES)) return { name, tlsCertificate: certificateFiles(pathsOf(name), offer) };
  if (name.startsWith(AUTHORITIES_FILES)) return { name, validationContext: authoritiesFiles(pathsOf(name), offer) };
  if (!name.startsWith(CREDENTIAL)) return undefined;
  const credentialName = name.slice(CREDENTIAL.length);
  if (name.endsWith(AUTHORITIES_SUFFIX)) {
    const authorities = authoritiesNamed(world, namespace, credentialName);
    return isFailed(authorities) ? undefined : authoritiesSecret(authorities, name);
  }
  const credential = credentialNamed(world, namespace, credentialName);
  return isFailed(credential) ? undefined : certificateSecret(credential, name);
}

/** As long as the Secret object is the same, so is the message. */
const certificateSecret = memoized(
  ({ certificate, key }: Credential, name: string): Secret => ({
    name,
    tlsCertificate: { certificateChain: { inlineString: certificate }, privateKey: { inlineString: key } },
  }),
);
const authoritiesSecret = memoized(
  ({ certificates, revocations }: Authorities, name: string): Secret => ({
    name,
    validationContext: {
      trustedCa: { inlineString: certificates },
      ...(revocations !== undefined && { crl: { inlineString: revocations } }),
    },
  }),
);

function pathsOf(name: string): readonly string[] {
  return name.slice(name.indexOf(":") + 1).split("~");
}

/**
 * Envoy says yes to a secret that it has refused, without looking at its files again, unless it is another: the folder is
 * written another way each time.
 */
function folderOf(file: string, offer: number): string {
  return offer % 2 === 0 ? dirname(file) : `${dirname(file)}/.`;
}

function certificateFiles([certificate = "", key = ""]: readonly string[], offer: number): TlsCertificate {
  return {
    certificateChain: { filename: certificate },
    privateKey: { filename: key },
    watchedDirectory: { path: folderOf(certificate, offer) },
  };
}

function authoritiesFiles(
  [authorities = "", revocations]: readonly string[],
  offer: number,
): CertificateValidationContext {
  return {
    trustedCa: { filename: authorities },
    ...(revocations !== undefined && { crl: { filename: revocations } }),
    watchedDirectory: { path: folderOf(authorities, offer) },
  };
}
