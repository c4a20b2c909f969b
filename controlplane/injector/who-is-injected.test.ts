import { describe, expect, it } from "vitest";
import { type Candidate, whetherInjected, whetherSelected } from "./who-is-injected.ts";

const pod: Candidate = { namespace: "shop", labels: {}, annotations: {}, hostNetwork: false };
const inject = (value: string) => ({ "sidecar.istio.io/inject": value });
const names = { revision: "", tags: [], enableNamespacesByDefault: false };
const canary = { revision: "canary", tags: ["prod"], enableNamespacesByDefault: false };

describe("whetherInjected", () => {
  it.each<[string, Partial<Candidate>]>([
    ["as asked", {}],
    ["by its label, whatever its annotation says", { labels: inject("true"), annotations: inject("false") }],
    ["with a value that means nothing", { labels: inject("perhaps") }],
  ])("injects a pod %s", (_, changes) => expect(whetherInjected({ ...pod, ...changes }).kind).toBe("injected"));

  it.each<[Partial<Candidate>, string]>([
    [{ hostNetwork: true, labels: inject("true") }, "it uses the host's network, where nothing may be captured"],
    [{ namespace: "kube-system", labels: inject("true") }, "kube-system is Kubernetes' own"],
    [{ labels: inject("false") }, 'its label sidecar.istio.io/inject is "false"'],
    [{ annotations: inject("false") }, 'its annotation sidecar.istio.io/inject is "false"'],
  ])("leaves %o alone, and says why", (changes, reason) =>
    expect(whetherInjected({ ...pod, ...changes })).toEqual({ kind: "left", reason }),
  );
});

describe("whetherSelected", () => {
  const enabled = { "istio-injection": "enabled" };
  const revision = (name: string) => ({ "istio.io/rev": name });
  it("takes the namespace's istio-injection before its revision, and that before the pod's", () => {
    expect(whetherSelected(pod, { ...enabled, ...revision("canary") }, names).kind).toBe("injected");
    expect(whetherSelected(pod, { ...enabled, ...revision("canary") }, canary)).toMatchObject({
      reason: "its namespace asks for revision default",
    });
    expect(whetherSelected({ ...pod, labels: revision("other") }, revision("prod"), canary).kind).toBe("injected");
    expect(whetherSelected({ ...pod, labels: revision("prod") }, {}, canary).kind).toBe("injected");
    expect(whetherSelected({ ...pod, labels: inject("true") }, {}, names).kind).toBe("injected");
    expect(whetherSelected({ ...pod, labels: inject("true") }, { "istio-injection": "disabled" }, names)).toEqual({
      kind: "left",
      reason: "its namespace says istio-injection: disabled",
    });
  });

  it("leaves pods alone for which nobody asks, unless all namespaces are injected", () => {
    expect(whetherSelected(pod, {}, names)).toMatchObject({
      reason: "neither its namespace nor it asks for a proxy",
    });
    expect(whetherSelected(pod, {}, { ...names, enableNamespacesByDefault: true }).kind).toBe("injected");
  });
});
