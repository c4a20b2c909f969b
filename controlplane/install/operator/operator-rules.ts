// Which of Istio's settings of an installation mean one of our values.
// Field facts: https://istio.io/latest/docs/reference/config/istio.operator.v1alpha1/

import { globalValues } from "../values/control-plane-values.ts";

/** From a path of an IstioOperator's spec to a path of our values; what is below it goes along. */
export type Rule = readonly [from: string, to: string];

const same = (...paths: readonly string[]): readonly Rule[] => paths.map((path) => [path, path]);
const moved = (from: string, to: string, ...names: readonly string[]): readonly Rule[] =>
  names.map((name) => [`${from}.${name}`, `${to}.${name}`]);

const SCHEDULING = ["nodeSelector", "tolerations", "affinity", "podAnnotations", "podLabels"] as const;

/** Of the spec itself; those of ours that stand there already are meant as they are. */
export const specRules: readonly Rule[] = [
  ...same("profile", "revision", "revisionTags", "meshConfig"),
  ["hub", "global.hub"],
  ["tag", "global.tag"],
  ["values.profile", "profile"],
  ["values.hub", "global.hub"],
  ["values.tag", "global.tag"],
  ["values.revision", "revision"],
  ["values.revisionTags", "revisionTags"],
  ["values.defaultRevision", "revision"],
  ["values.meshConfig", "meshConfig"],
  ...moved("values.global", "global", "hub", "tag", "imagePullPolicy", "imagePullSecrets", "priorityClassName"),
  ...moved("values.global", "global", "remotePilotAddress"),
  ...moved("values.global.proxy", "global.proxy", ...Object.keys(globalValues.properties.proxy.properties)),
  ["values.global.proxy_init.image", "global.proxy_init.image"],
  ["values.global.multiCluster.clusterName", "global.multiCluster.clusterName"],
  ...moved("values.pilot", "pilot", "replicaCount", "autoscaleEnabled", "autoscaleMin", "autoscaleMax", "resources"),
  ...moved("values.pilot", "pilot", "env", "serviceAnnotations", "cpu.targetAverageUtilization", ...SCHEDULING),
  ["values.pilot.rollingMaxSurge", "pilot.maxSurge"],
  ["values.pilot.rollingMaxUnavailable", "pilot.maxUnavailable"],
  ["values.pilot.cni.enabled", "cni.enabled"],
  ["values.istio_cni.enabled", "cni.enabled"],
  ["values.cni.enabled", "cni.enabled"],
  ["components.cni.enabled", "cni.enabled"],
  ...moved("values.sidecarInjectorWebhook", "sidecarInjectorWebhook", "enableNamespacesByDefault"),
  ...moved("values.sidecarInjectorWebhook", "sidecarInjectorWebhook", "reinvocationPolicy", "rewriteAppHTTPProbe"),
  ...moved("components.pilot.k8s", "pilot", "replicaCount", "resources", "env", "serviceAnnotations", ...SCHEDULING),
  ["components.pilot.k8s.imagePullPolicy", "global.imagePullPolicy"],
  ["components.pilot.k8s.priorityClassName", "global.priorityClassName"],
  ["components.pilot.k8s.hpaSpec.minReplicas", "pilot.autoscaleMin"],
  ["components.pilot.k8s.hpaSpec.maxReplicas", "pilot.autoscaleMax"],
  ["components.pilot.k8s.strategy.rollingUpdate.maxSurge", "pilot.maxSurge"],
  ["components.pilot.k8s.strategy.rollingUpdate.maxUnavailable", "pilot.maxUnavailable"],
  ["components.pilot.hub", "global.hub"],
  ["components.pilot.tag", "global.tag"],
];

/** Of one gateway: what stands below an item of ingressGateways, and below its name in `values.gateways`. */
export const gatewayRules: readonly Rule[] = [
  ...same("enabled", "namespace", "replicaCount", "resources", "env", ...SCHEDULING, "terminationGracePeriodSeconds"),
  ["label.istio", "istioLabel"],
  ...moved("k8s", "", "replicaCount", "resources", "env", ...SCHEDULING).map(([from, to]): Rule => [from, to.slice(1)]),
  ["k8s.hpaSpec.minReplicas", "autoscaling.minReplicas"],
  ["k8s.hpaSpec.maxReplicas", "autoscaling.maxReplicas"],
  ["k8s.imagePullPolicy", "imagePullPolicy"],
  ["k8s.serviceAnnotations", "service.annotations"],
  ["k8s.podDisruptionBudget.maxUnavailable", "podDisruptionBudget.maxUnavailable"],
  ...moved("k8s.service", "service", "type", "ports", "loadBalancerIP", "loadBalancerSourceRanges"),
  ...moved("k8s.service", "service", "externalTrafficPolicy"),
  ["serviceAnnotations", "service.annotations"],
  ["type", "service.type"],
  ["ports", "service.ports"],
  ["loadBalancerIP", "service.loadBalancerIP"],
  ["loadBalancerSourceRanges", "service.loadBalancerSourceRanges"],
  ["externalTrafficPolicy", "service.externalTrafficPolicy"],
  ["autoscaleEnabled", "autoscaling.enabled"],
  ["autoscaleMin", "autoscaling.minReplicas"],
  ["autoscaleMax", "autoscaling.maxReplicas"],
];

/** Settings that say how it is here anyway. */
export const withoutMeaning: readonly string[] = [
  "components.base.enabled",
  "components.pilot.enabled",
  "values.global.istioNamespace",
  "installPackagePath",
];
