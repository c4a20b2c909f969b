import { type Description, each, when } from "../description/description.ts";
import { inNamespace, ISTIOD } from "./names.ts";

/** What `helm test` runs: the control plane's Service must lead to one that is ready. */
export const readinessTest: readonly Description[] = [
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...inNamespace(`${ISTIOD}-ready`),
      labels: { "sidecar.istio.io/inject": "false", "app.kubernetes.io/part-of": "scrim" },
      annotations: {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
      },
    },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      imagePullSecrets: when("global.imagePullSecrets", [
        each("global.imagePullSecrets", "secret", { name: "{secret}" }),
      ]),
      securityContext: { runAsUser: 1337, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "ready",
          image: "{global.hub}/controlplane:{global.tag}",
          imagePullPolicy: "{global.imagePullPolicy}",
          args: ["x", "reach", `http://${ISTIOD}.{namespace}.svc:15014/ready`],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  },
];
