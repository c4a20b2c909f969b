// What the control plane reads of its installation: the mesh's settings, and what injected pods get.
import { type Description, jsonText } from "../description/description.ts";
import { inNamespace } from "./names.ts";

/** Settings of the mesh, as people know and edit it. */
const mesh: Description = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: inNamespace("istio{-revision}"),
  data: { mesh: jsonText("meshConfig") },
};

const injection: Description = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: inNamespace("istio-sidecar-injector{-revision}"),
  data: {
    values: jsonText({
      global: "global",
      pilot: "pilot",
      cni: "cni",
      revision: "revision",
      revisionTags: "revisionTags",
      sidecarInjectorWebhook: "sidecarInjectorWebhook",
    }),
  },
};

export const configMaps: readonly Description[] = [mesh, injection];
