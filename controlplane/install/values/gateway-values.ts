import { count, flag, labels, nameText, object, objects, oneOf, text, texts, values } from "./words.ts";

/** The values of a gateway's chart, and of each of `gateways` of `scrim install`. */
export const gatewayValues = values("A gateway.", {
  name: nameText("The name of its Deployment, its Service and the rest.", "istio-ingressgateway"),
  istioLabel: text("Its label istio, by which Gateways select it.", "ingressgateway"),
  istioNamespace: nameText("Where its control plane is, which may read Secrets beside the gateway.", "istio-system"),
  revision: nameText("The control plane's revision."),
  imagePullPolicy: oneOf("When its image is asked for again.", ["Always", "IfNotPresent", "Never"], "IfNotPresent"),
  imagePullSecrets: texts("Secrets with the registry's credentials."),
  replicaCount: count("How many there are, where no autoscaler says it.", 1, 0),
  autoscaling: values("A HorizontalPodAutoscaler.", {
    enabled: flag("Whether it says how many there are.", true),
    minReplicas: count("The least.", 1, 1),
    maxReplicas: count("The most.", 5, 1),
    targetCPUUtilizationPercentage: count("Percent of the CPU that is asked for.", 80, 1),
  }),
  podDisruptionBudget: values("How many may be away at once while nodes are drained.", {
    maxUnavailable: count("So many.", 1, 0),
  }),
  service: values("Its Service.", {
    type: oneOf("How it is reached.", ["LoadBalancer", "NodePort", "ClusterIP"], "LoadBalancer"),
    ports: objects("Its ports.", [
      { name: "status-port", port: 15_021, protocol: "TCP", targetPort: 15_021 },
      { name: "http2", port: 80, protocol: "TCP", targetPort: 80 },
      { name: "https", port: 443, protocol: "TCP", targetPort: 443 },
    ]),
    annotations: labels("Annotations, which cloud providers read."),
    loadBalancerIP: text("The address it asks for."),
    loadBalancerSourceRanges: texts("Who may reach it, as ranges of addresses."),
    externalTrafficPolicy: text("Local: clients' addresses are kept. Cluster unless given."),
  }),
  resources: object("What a pod asks for.", { requests: { cpu: "100m", memory: "128Mi" } }),
  env: labels("Variables of the proxy's environment."),
  podLabels: labels("Labels of its pods."),
  podAnnotations: labels("Annotations of its pods."),
  nodeSelector: labels("Labels of the nodes it runs on."),
  tolerations: objects("Taints it may run on."),
  affinity: object("Where its pods like to be."),
  terminationGracePeriodSeconds: count("How long connections have to end.", 30),
});
