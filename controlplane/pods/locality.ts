// Where a workload runs: region, zone and subzone, from the labels by which Kubernetes and Istio say it.
import { type Labels, TOPOLOGY_LABELS } from "../model/labels.ts";

/** Istio's one label for all three, written `region/zone/subzone`, or with dots, since labels hold no slashes. */
const LOCALITY_LABEL = "istio-locality";

/**
 * Returns the labels with those of the topology: as `istio-locality` says, else as they or the annotations of their
 * names do. The same object where nothing is to be added.
 */
export function withTopology(labels: Labels, annotations: Labels = {}): Labels {
  const text = labels[LOCALITY_LABEL] ?? annotations[LOCALITY_LABEL];
  const said = text === undefined ? [] : partsOf(text.includes("/") ? text : text.replaceAll(".", "/"));
  const added = TOPOLOGY_LABELS.flatMap((name, index) => {
    const value = text === undefined ? (labels[name] ?? annotations[name]) : said[index];
    return value && value !== labels[name] ? [[name, value] as const] : [];
  });
  return added.length === 0 ? labels : { ...labels, ...Object.fromEntries(added) };
}

/** Returns `region`, `region/zone` or `region/zone/subzone` of labels with their topology; "" where nobody says. */
export function localityOf(labels: Labels): string {
  return localityText(TOPOLOGY_LABELS.map((name) => labels[name] ?? ""));
}

/** Returns a locality's text as the labels of its parts. */
export function topologyOf(locality: string): Labels {
  const parts = partsOf(locality);
  return Object.fromEntries(
    TOPOLOGY_LABELS.flatMap((name, index) => (parts[index] ? [[name, parts[index]] as const] : [])),
  );
}

/** Returns region, zone and subzone of a locality's text; "" for each that it does not say. */
export function partsOf(locality: string): readonly [region: string, zone: string, subzone: string] {
  const [region = "", zone = "", subzone = ""] = locality.split("/", 3);
  return [region, zone, subzone];
}

function localityText(parts: readonly string[]): string {
  return parts.join("/").replace(/\/+$/, "");
}
