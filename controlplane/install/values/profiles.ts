import type { Values } from "./words.ts";

/** What is said for one purpose over the defaults. */
export interface Profile {
  readonly description: string;
  readonly controlPlane: Values;
  /** By name; each is there with the chart's defaults but for what is said here. */
  readonly gateways: Readonly<Record<string, Values>>;
}

const INGRESS = "istio-ingressgateway";

export const profiles = {
  default: {
    description: "For production: two control planes, and a gateway that grows with its load.",
    controlPlane: {},
    gateways: { [INGRESS]: {} },
  },
  demo: {
    description: "To look at: little is asked of the cluster, and every request is logged.",
    controlPlane: {
      global: { proxy: { resources: { requests: { cpu: "10m", memory: "40Mi" } } } },
      meshConfig: { accessLogFile: "/dev/stdout" },
      pilot: { replicaCount: 1, resources: { requests: { cpu: "10m", memory: "128Mi" } } },
    },
    gateways: {
      [INGRESS]: { autoscaling: { enabled: false }, resources: { requests: { cpu: "10m", memory: "40Mi" } } },
    },
  },
  minimal: {
    description: "The control plane alone.",
    controlPlane: {},
    gateways: {},
  },
  remote: {
    description: "A cluster whose proxies another cluster's control plane serves (global.remotePilotAddress).",
    controlPlane: { networkPolicy: { enabled: false } },
    gateways: {},
  },
} as const satisfies Readonly<Record<string, Profile>>;

export type ProfileName = keyof typeof profiles;
export const profileNames = Object.keys(profiles) as readonly ProfileName[];

export function isProfileName(text: unknown): text is ProfileName {
  return typeof text === "string" && Object.hasOwn(profiles, text);
}
