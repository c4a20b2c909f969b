// The files that a proxy has in its pod, and the volumes that they are in.
import { buildTokenSecret, type TokenFiles } from "../bootstrap/captured-bootstrap.ts";
import type { AskedProxy } from "./asked-proxy.ts";
import type { Named } from "./pod.ts";
import type { InjectionValues } from "./values.ts";

const TOKENS = "/var/run/secrets/tokens";
const ROOTS = "/var/run/secrets/istio";
const SOCKETS = "/var/run/scrim";
const OVERRIDE = "/etc/istio/custom-bootstrap";

/** Where Envoy finds its token, and the file that tells it to read that one. */
export const TOKEN_FILES: TokenFiles = {
  tokenFile: `${TOKENS}/istio-token`,
  secretFile: `${TOKENS}/xds-token.json`,
};
export const ROOT_CERTIFICATE = `${ROOTS}/root-cert.pem`;
export const ADMIN_SOCKET = `${SOCKETS}/envoy-admin.sock`;
export const OVERRIDE_FILE = `${OVERRIDE}/custom_bootstrap.json`;

/** The annotation whose text is the file `secretFile`: so nobody has to write it in the pod. */
const SECRET_ANNOTATION = "scrim.mesh/xds-token-secret";
const TOKEN_LIFE_SECONDS = 43_200;
const ROOT_CERTIFICATES = "istio-ca-root-cert";

/** Returns the annotations that hold the text of files. */
export function fileAnnotations(): Readonly<Record<string, string>> {
  return { [SECRET_ANNOTATION]: JSON.stringify(buildTokenSecret(TOKEN_FILES)) };
}

/** Returns the volumes of the proxy's files; the last are the user's own. */
export function volumesOf(asked: AskedProxy, { tokenAudience: audience }: InjectionValues): readonly Named[] {
  return [
    { name: "istio-envoy", emptyDir: { medium: "Memory" } },
    {
      name: "istio-token",
      projected: {
        sources: [
          { serviceAccountToken: { audience, expirationSeconds: TOKEN_LIFE_SECONDS, path: "istio-token" } },
          {
            downwardAPI: {
              items: [
                { path: "xds-token.json", fieldRef: { fieldPath: `metadata.annotations['${SECRET_ANNOTATION}']` } },
              ],
            },
          },
        ],
      },
    },
    { name: "istiod-ca-cert", configMap: { name: ROOT_CERTIFICATES } },
    ...(asked.bootstrapOverride === undefined
      ? []
      : [{ name: "custom-bootstrap-volume", configMap: { name: asked.bootstrapOverride } }]),
    ...Object.entries(asked.userVolumes).map(([name, volume]) => ({ ...volume, name })),
  ];
}

/** Returns where the proxy has them. */
export function mountsOf(asked: AskedProxy): readonly object[] {
  return [
    { name: "istio-envoy", mountPath: SOCKETS },
    { name: "istio-token", mountPath: TOKENS, readOnly: true },
    { name: "istiod-ca-cert", mountPath: ROOTS, readOnly: true },
    ...(asked.bootstrapOverride === undefined
      ? []
      : [{ name: "custom-bootstrap-volume", mountPath: OVERRIDE, readOnly: true }]),
    ...Object.entries(asked.userVolumeMounts).map(([name, mount]) => ({ ...mount, name })),
  ];
}
