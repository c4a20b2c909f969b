import { readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SourceUnit } from "../../model/document.ts";
import { kindDefinitions } from "../../model/kinds.ts";
import { createClusterView } from "./cluster-view.ts";
import { decodeObject } from "./decode-object.ts";
import { isSelected } from "./label-selector.ts";
import { describeKind, watchedKinds } from "./watched-kinds.ts";

interface Sent {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

const kindOf = (kind: string) => watchedKinds.find((one) => one.kind === kind)!;
const uidOf = ({ kind, metadata: { namespace = "", name } }: Sent) => `${kind}/${namespace}/${name}`;
const listed = (object: Sent, resourceVersion = "1") => {
  const kind = kindOf(object.kind);
  return { uid: uidOf(object), resourceVersion, value: decodeObject(kind, kind.versions[0], object) };
};

const namespace = (name: string, labels = {}): Sent => ({ kind: "Namespace", metadata: { name, labels } });
const node = (name: string, zone: string): Sent => ({
  kind: "Node",
  metadata: { name, labels: { "topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": zone } },
});
const pod = (name: string, fields: object = {}, labels = {}, annotations = {}): Sent => ({
  kind: "Pod",
  metadata: { name, namespace: "shop", labels, annotations },
  spec: { nodeName: "n1", containers: [], ...fields },
});
const meshConfig = (text: string): Sent => ({
  kind: "ConfigMap",
  metadata: { name: "istio", namespace: "istio-system" },
  data: { mesh: text },
});
const policy = (name: string, labels = {}): Sent => ({
  kind: "AuthorizationPolicy",
  metadata: { name, namespace: "shop", labels },
  spec: {},
});

function setUp(revision = "default") {
  const view = createClusterView({ namespace: "istio-system", revision });
  const told = new Map<string, unknown>();
  const take = (units: readonly SourceUnit[]) => {
    for (const { id, documents } of units)
      if (documents[0] === undefined) told.delete(id);
      else told.set(id, documents[0].value);
    return units.map(({ id }) => id);
  };
  return {
    view,
    told,
    put: (...objects: readonly Sent[]) => {
      view.take({ put: objects.map((object) => listed(object)), gone: [] });
      return take(view.takeUnits());
    },
    remove: (object: Sent) => {
      view.take({ put: [], gone: [uidOf(object)] });
      return take(view.takeUnits());
    },
  };
}

describe("the kinds that are read", () => {
  it("are all of the mesh, called as their definitions call them", () => {
    const definitions = readdirSync(new URL("../../../deploy/crds", import.meta.url));
    expect(definitions).toContain("serviceentries.networking.istio.io.yaml");
    for (const definition of definitions)
      expect(watchedKinds.map((one) => `${describeKind(one)}.yaml`)).toContain(definition);
    const read = new Set(watchedKinds.map(({ kind }) => kind));
    expect(Object.keys(kindDefinitions).filter((kind) => !read.has(kind as "Pod"))).toEqual([
      ...["Deployment", "StatefulSet", "DaemonSet", "Job"],
    ]);
    expect(watchedKinds.filter(({ kind }) => kind === "QuotaSpec").map(describeKind)).toEqual([
      "quotaspecs.networking.istio.io",
      "quotaspecs.config.istio.io",
    ]);
    expect(kindOf("VirtualService").versions).toEqual(["v1", "v1beta1", "v1alpha3"]);
  });
});

describe("what is kept of an object", () => {
  it("is what the mesh reads of it", () => {
    const object = pod("web", {
      serviceAccountName: "web",
      volumes: [{ name: "token" }],
      containers: [
        { name: "app", image: "app:1", env: [{ name: "A", value: "b" }], ports: [{ containerPort: 80, hostPort: 80 }] },
      ],
    });
    const metadata = {
      ...object.metadata,
      ...{ uid: "u", resourceVersion: "7", managedFields: [{}], ownerReferences: [{}], generation: 1 },
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", a: "b" },
    };
    const status = {
      podIP: "10.0.0.1",
      hostIP: "1.1.1.1",
      conditions: [{ type: "Ready", status: "True", reason: "x" }],
    };
    expect(decodeObject(kindOf("Pod"), "v1", { ...object, metadata, status })).toEqual({
      ...{ kind: "Pod", name: "web", namespace: "shop", labels: {}, node: "n1" },
      value: {
        ...{ apiVersion: "v1", kind: "Pod" },
        metadata: { name: "web", namespace: "shop", labels: {}, annotations: { a: "b" }, generation: 1 },
        spec: {
          serviceAccountName: "web",
          containers: [{ name: "app", ports: [{ containerPort: 80 }] }],
        },
        status: { podIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" }] },
      },
    });
  });

  it("is all that is written of a kind of the mesh, what is misspelt included, without what we say of it", () => {
    const object = {
      kind: "VirtualService",
      metadata: { name: "a" },
      spec: { hots: ["b"] },
      sepc: 1,
      status: { x: 1 },
    };
    expect(decodeObject(kindOf("VirtualService"), "v1beta1", object).value).toEqual({
      ...{ apiVersion: "networking.istio.io/v1beta1", kind: "VirtualService", metadata: { name: "a" } },
      ...{ spec: { hots: ["b"] }, sepc: 1 },
    });
  });
});

describe("the mesh of a cluster", () => {
  it("has every namespace, unless its settings select some", () => {
    const { put, remove, told } = setUp();
    put(namespace("shop"), namespace("istio-system"), policy("p"));
    expect(told.has(uidOf(policy("p")))).toBe(true);
    const selecting = meshConfig(
      "discoverySelectors:\n- matchLabels: {mesh: yes-it-is}\n- matchExpressions: [{key: x, operator: Exists}]\n",
    );
    put(selecting);
    expect([...told.keys()]).toEqual([
      ...["Namespace//shop", "Namespace//istio-system", "ConfigMap/istio-system/istio"],
    ]);
    put(namespace("shop", { mesh: "yes-it-is" }));
    expect(told.has(uidOf(policy("p")))).toBe(true);
    put(namespace("shop", { mesh: "no" }));
    expect(told.has(uidOf(policy("p")))).toBe(false);
    put(meshConfig("rootNamespace: shop\ndiscoverySelectors: [{matchLabels: {mesh: 'yes'}}]"));
    expect(told.has(uidOf(policy("p")))).toBe(true);
    put(selecting);
    remove(selecting);
    expect(told.has(uidOf(policy("p")))).toBe(true);
  });

  it("has what is for this revision, or for every one", () => {
    const { put, told } = setUp("canary");
    put(policy("all"), policy("ours", { "istio.io/rev": "canary" }), policy("theirs", { "istio.io/rev": "stable" }));
    expect([...told.keys()].map((key) => key.split("/").at(-1))).toEqual(["all", "ours"]);
    put(policy("theirs", { "istio.io/rev": "canary" }), policy("ours", { "istio.io/rev": "stable" }));
    expect([...told.keys()].map((key) => key.split("/").at(-1))).toEqual(["all", "theirs"]);
    put(pod("injected-by-another", {}, { "istio.io/rev": "stable" }));
    expect(told.has("Pod/shop/injected-by-another")).toBe(true);
  });

  it("reads the settings of its revision, as the mesh's own", () => {
    const { put, told } = setUp("canary");
    const metadata = { name: "istio-canary", namespace: "istio-system" };
    put({ ...meshConfig("trustDomain: a.b"), metadata });
    expect(told.get("ConfigMap/istio-system/istio-canary")).toMatchObject({
      metadata: { name: "istio", namespace: "istio-system" },
    });
  });

  it("has pods where their nodes are, unless they say it themselves", () => {
    const { put, remove, told } = setUp();
    const zoneOf = (name: string) =>
      (told.get(`Pod/shop/${name}`) as { metadata: { annotations?: Record<string, string> } }).metadata.annotations?.[
        "topology.kubernetes.io/zone"
      ];
    const own = { "topology.kubernetes.io/zone": "own" };
    const labelled = { "topology.kubernetes.io/region": "eu" };
    put(pod("a"), pod("b", { nodeName: "n2" }), pod("c", {}, own), pod("d", {}, {}, own), pod("e", {}, labelled));
    expect(put(node("n1", "z1"))).toEqual(["Pod/shop/a", "Pod/shop/c", "Pod/shop/d", "Pod/shop/e"]);
    expect(["a", "b", "c", "d", "e"].map(zoneOf)).toEqual(["z1", undefined, undefined, "own", "z1"]);
    expect(put(node("n1", "z1"))).toEqual([]);
    put(node("n1", "z2"));
    expect(zoneOf("a")).toBe("z2");
    remove(node("n1", "z2"));
    expect(zoneOf("a")).toBe(undefined);
  });

  it("names Secrets where gateways stand, and in the namespaces of what names them", () => {
    const { view, put, remove } = setUp();
    const gateway: Sent = {
      kind: "Gateway",
      metadata: { name: "g", namespace: "shop" },
      spec: { selector: { istio: "ingress" }, servers: [{ tls: { credentialName: "shop-cert" } }] },
    };
    const rule: Sent = {
      kind: "DestinationRule",
      metadata: { name: "r", namespace: "bank" },
      spec: { host: "a", subsets: [{ trafficPolicy: { portLevelSettings: [{ tls: { credentialName: "client" } }] } }] },
    };
    const plugin: Sent = {
      kind: "WasmPlugin",
      metadata: { name: "p", namespace: "tools" },
      spec: { imagePullSecret: "registry" },
    };
    const gatewayPod = {
      ...pod("ingress", {}, { istio: "ingress" }),
      metadata: { name: "ingress", namespace: "edge", labels: { istio: "ingress" } },
    };
    put(gateway, rule, plugin, gatewayPod);
    const named = () =>
      Object.fromEntries(
        [...view.namedSecrets()].map(([name, names]) => [name, [...names].filter((one) => !one.endsWith("-cacert"))]),
      );
    expect(named()).toEqual({
      shop: ["shop-cert"],
      bank: ["client"],
      tools: ["registry"],
      edge: ["shop-cert", "client"],
    });
    expect(view.namedSecrets().get("shop")).toEqual(new Set(["shop-cert", "shop-cert-cacert"]));
    remove(gatewayPod);
    remove(plugin);
    expect(named()).toEqual({ shop: ["shop-cert"], bank: ["client"] });
  });

  it("is the same in whatever order its objects are heard of", () => {
    const all = [
      ...[namespace("shop", { mesh: "yes" }), namespace("other"), namespace("istio-system"), node("n1", "z1")],
      ...[pod("a"), policy("p"), policy("q", { "istio.io/rev": "no" })],
      { ...policy("r"), metadata: { name: "r", namespace: "other" } },
      meshConfig("discoverySelectors: [{matchLabels: {mesh: 'yes'}}]"),
    ];
    const state = (told: ReadonlyMap<string, unknown>) => [...told].sort(([a], [b]) => (a < b ? -1 : 1));
    const expected = setUp();
    expected.put(...all);
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), fc.shuffledSubarray(all), (order, twice) => {
        const { put, remove, told } = setUp();
        for (const object of order) put(object);
        for (const object of twice) remove(object);
        for (const object of twice) put(object);
        expect(state(told)).toEqual(state(expected.told));
      }),
    );
  });
});

it.each([
  [{ matchLabels: { a: "1" } }, true],
  [{ matchLabels: { a: "2" } }, false],
  [{ matchExpressions: [{ key: "a", operator: "In", values: ["1", "2"] }] }, true],
  [{ matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, false],
  [{ matchExpressions: [{ key: "b", operator: "NotIn", values: ["1"] }] }, true],
  [{ matchExpressions: [{ key: "b", operator: "DoesNotExist" }] }, true],
  [{ matchLabels: { a: "1" }, matchExpressions: [{ key: "b", operator: "Exists" }] }, false],
  [{ matchExpressions: [{ key: "a", operator: "Near" }] }, false],
  [{}, true],
])("a selector %j", (selector, selects) => expect(isSelected(selector, { a: "1" })).toBe(selects));
