import { SCRIM_VERSION } from "../../settings/version.ts";
import { count, flag, labels, names, nameText, object, objects, oneOf, text, texts, values } from "./words.ts";

/** Values of everything that runs an image of ours. */
export const globalValues = values("What all parts of the mesh share.", {
  hub: text("Where the images are: HUB/controlplane, HUB/proxy and HUB/init.", "docker.io/scrim"),
  tag: text("The images' tag.", SCRIM_VERSION),
  imagePullPolicy: oneOf("When images are asked for again.", ["Always", "IfNotPresent", "Never"], "IfNotPresent"),
  imagePullSecrets: texts("Secrets with the registry's credentials."),
  proxy: values("The proxies.", {
    image: text("The image: a name below the hub, or a whole one.", "proxy"),
    resources: object("What a proxy asks for, unless its pod says otherwise.", {
      requests: { cpu: "50m", memory: "64Mi" },
      limits: { cpu: "2000m", memory: "1024Mi" },
    }),
    logLevel: text("What proxies log: trace, debug, info, warning, error, critical or off.", "warning"),
    componentLogLevel: text("The same for parts of Envoy, as in upstream:debug."),
    holdApplicationUntilProxyStarts: flag("Applications start when their proxy is ready.", false),
    includeIPRanges: text("Where connections must lead to be captured; all unless given."),
    excludeIPRanges: text("Where connections lead that are not captured."),
    includeInboundPorts: text("Ports of the pod whose connections are captured; all unless given."),
    excludeInboundPorts: text("Ports of the pod whose connections are not captured."),
    includeOutboundPorts: text("Ports that are captured whatever the address."),
    excludeOutboundPorts: text("Ports whose connections are not captured."),
  }),
  proxy_init: values("What sets up the capture of connections.", {
    image: text("The image: a name below the hub, or a whole one.", "init"),
  }),
  multiCluster: values("Which cluster this is.", {
    clusterName: text("Its name; Kubernetes unless given."),
  }),
  priorityClassName: text("The priority of the control plane's pods."),
  remotePilotAddress: text(
    "The address of a control plane in another cluster: with one, none is run here and proxies are sent there.",
  ),
});

/** The values of the control plane's chart, and of `scrim install`, which has those of gateways beside them. */
export const controlPlaneValues = values("The control plane.", {
  global: globalValues,
  revision: nameText("The control plane's name, where several run side by side; the default one has none."),
  revisionTags: names("Names that mean this revision, for labels of namespaces: istio.io/rev=TAG."),
  meshConfig: object("Settings of the mesh: Istio's MeshConfig.", { trustDomain: "cluster.local" }),
  pilot: values("The Deployment istiod.", {
    replicaCount: count("How many there are; they share the proxies.", 2, 1),
    autoscaleEnabled: flag("Whether a HorizontalPodAutoscaler says how many.", false),
    autoscaleMin: count("The least.", 2, 1),
    autoscaleMax: count("The most.", 5, 1),
    cpu: values("When there are more.", {
      targetAverageUtilization: count("Percent of the CPU that is asked for.", 80, 1),
    }),
    resources: object("What one asks for.", { requests: { cpu: "100m", memory: "256Mi" } }),
    env: labels("Variables of its environment."),
    extraArgs: texts("More arguments of scrim serve."),
    logLevel: oneOf("What it logs.", ["trace", "debug", "info", "warn", "error"], "info"),
    podLabels: labels("Labels of its pods."),
    podAnnotations: labels("Annotations of its pods."),
    serviceAnnotations: labels("Annotations of its Service."),
    nodeSelector: labels("Labels of the nodes it runs on."),
    tolerations: objects("Taints it may run on."),
    affinity: object("Where its pods like to be."),
    maxSurge: text("How many more there are while it is replaced.", "100%"),
    maxUnavailable: text("How many fewer there are while it is replaced.", "25%"),
  }),
  sidecarInjectorWebhook: values("Injection of proxies into pods.", {
    enableNamespacesByDefault: flag("Pods of namespaces without a label are injected, too.", false),
    failurePolicy: oneOf("Pods while nobody answers: refused, or started without a proxy.", ["Fail", "Ignore"], "Fail"),
    reinvocationPolicy: oneOf(
      "IfNeeded: pods that other webhooks changed afterwards are looked at again.",
      ["Never", "IfNeeded"],
      "Never",
    ),
    rewriteAppHTTPProbe: flag("Probes of applications go through the proxy.", true),
  }),
  cni: values("Who sets up the capture of connections.", {
    enabled: flag("A CNI plugin does: pods get no init container.", false),
  }),
  networkPolicy: values("Who may reach the control plane.", {
    enabled: flag("A NetworkPolicy lets only the ports in that it serves.", true),
  }),
});
