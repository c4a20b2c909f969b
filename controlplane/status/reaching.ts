// Which proxies an object is for, by what it says of itself. Pure.
import type { MeshObject } from "../model/object.ts";
import { labelsMatch } from "../model/labels.ts";
import type { ProxyClass } from "../translate/ir/proxy-class.ts";
import { isExported } from "../translate/resolve/visibility.ts";

/**
 * Returns whether an object may say something to proxies of a class: those that it selects, or whose namespace sees it.
 * What it changes there may be nothing; to find that out for each object would cost as much as translating the mesh
 * anew.
 */
export function reaches(object: MeshObject, proxy: ProxyClass, rootNamespace: string): boolean {
  const { namespace } = object.metadata;
  const isNear = namespace === proxy.namespace || namespace === rootNamespace;
  switch (object.kind) {
    case "VirtualService": {
      const { exportTo, gateways = [] } = (object as MeshObject<"VirtualService">).spec;
      const isForMesh = gateways.length === 0 || gateways.includes("mesh");
      const isForGateways = gateways.some((gateway) => gateway !== "mesh");
      return proxy.kind === "sidecar" ? isForMesh && isExported(exportTo, namespace, proxy.namespace) : isForGateways;
    }
    case "DestinationRule": {
      const { exportTo, workloadSelector } = (object as MeshObject<"DestinationRule">).spec;
      if (workloadSelector !== undefined)
        return namespace === proxy.namespace && labelsMatch(workloadSelector.matchLabels, proxy.labels);
      return isExported(exportTo, namespace, proxy.namespace);
    }
    case "ServiceEntry":
      return isExported((object as MeshObject<"ServiceEntry">).spec.exportTo, namespace, proxy.namespace);
    case "Gateway":
      return proxy.kind === "router" && labelsMatch((object as MeshObject<"Gateway">).spec.selector, proxy.labels);
    case "Sidecar": {
      const { workloadSelector } = (object as MeshObject<"Sidecar">).spec;
      return proxy.kind === "sidecar" && isNear && labelsMatch(workloadSelector?.labels, proxy.labels);
    }
    case "AuthorizationPolicy":
    case "PeerAuthentication":
    case "ProxyConfig":
    case "RateLimitPolicy":
    case "Telemetry":
    case "WasmPlugin": {
      const { selector } = (object as MeshObject<"WasmPlugin">).spec;
      return isNear && labelsMatch(selector?.matchLabels, proxy.labels);
    }
    default:
      return true;
  }
}
