import { describe, expect, it } from "vitest";
import { injectDocument } from "../injector/documents.ts";
import { injectionValues } from "../injector/values.ts";
import { loadText } from "../store/load.ts";
import { formatViolation } from "../validate/violation.ts";
import { type AdmissionRequest, encodeReview, parseReview, type PatchOperation } from "./admission.ts";
import { admitPod, patchFor } from "./inject-pods.ts";
import { admitObject } from "./validate-objects.ts";

type Fields = Readonly<Record<string, unknown>>;

const mesh = { world: loadText("").world, values: injectionValues({}, "1.0.0") };
const asked = (object: Fields, more: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  ...{ uid: "u1", operation: "CREATE", namespace: "shop", object },
  ...more,
});

/** As an API server does; whole fields of metadata and spec are all that is ever changed. */
function patched(object: Fields, patch: readonly PatchOperation[] = []): Fields {
  const result = structuredClone(object) as Record<string, Record<string, unknown>>;
  for (const { op, path, value } of patch) {
    const [, part = "", name] = path.split("/").map((text) => text.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (name === undefined) result[part] = value as Record<string, unknown>;
    else if (op === "remove") delete result[part]?.[name];
    else result[part]![name] = value;
  }
  return result;
}

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { generateName: "web-", labels: { app: "web" }, managedFields: [{ manager: "kubectl" }] },
  spec: { containers: [{ name: "web", image: "web:1", readinessProbe: { tcpSocket: { port: 80 } } }], volumes: [] },
};

describe("a review", () => {
  it("is answered under its uid, with a patch in base64", () => {
    const review = parseReview(
      JSON.stringify({
        ...{ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" },
        request: { uid: "abc", operation: "CREATE", namespace: "shop", object: pod },
      }),
    );
    const patch = [{ op: "remove", path: "/spec/volumes" }] as const;
    expect(JSON.parse(encodeReview(review as AdmissionRequest, { allowed: true, warnings: ["w"], patch }))).toEqual({
      ...{ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" },
      response: {
        ...{ uid: "abc", allowed: true, warnings: ["w"], patchType: "JSONPatch" },
        patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
      },
    });
  });

  it.each([
    "",
    "[",
    "{}",
    '{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"}',
    "[".repeat(100_000),
  ])("that is none is told so: %.60s", (body) =>
    expect(parseReview(body)).toMatchObject({ kind: "failed", code: "malformed" }),
  );
});

describe("a request without an object", () => {
  it.each([null, undefined, "text", 5, ["a"]])("is refused, unless the object goes: %j", (object) => {
    const requestOf = (operation: string) =>
      parseReview(
        JSON.stringify({
          ...{ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" },
          request: { uid: "abc", operation, namespace: "shop", object },
        }),
      ) as AdmissionRequest;
    for (const admit of [admitObject, (request: AdmissionRequest) => admitPod(request, mesh)]) {
      for (const operation of ["CREATE", "UPDATE"]) {
        const request = requestOf(operation);
        expect(JSON.parse(encodeReview(request, admit(request)))).toMatchObject({
          response: {
            ...{ uid: "abc", allowed: false },
            status: { code: 400, message: `request.object must be a map: ${operation} has no object` },
          },
        });
      }
      expect(admit(requestOf("DELETE"))).toEqual({ allowed: true });
    }
  });
});

describe("injection by the webhook", () => {
  it("makes of a pod, byte for byte, what kube-inject makes of it", () => {
    const document = { ...pod, metadata: { ...pod.metadata, namespace: "shop" } };
    const { patch } = admitPod(asked(document), mesh);
    const { value } = injectDocument(document, { ...mesh, namespace: "other" });
    const sorted = (object: unknown) =>
      JSON.stringify(object, (_, inner: unknown) =>
        typeof inner === "object" && inner !== null && !Array.isArray(inner)
          ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
          : inner,
      );
    expect(sorted(patched(document, patch))).toBe(sorted(value));
  });

  it("changes nothing when it is asked again", () => {
    const once = patched(pod, admitPod(asked(pod), mesh).patch);
    expect(admitPod(asked(once), mesh).patch).toEqual([]);
  });

  it("leaves alone what is not to be injected", () => {
    const refusing = { ...pod, metadata: { ...pod.metadata, labels: { "sidecar.istio.io/inject": "false" } } };
    expect(admitPod(asked(refusing), mesh)).toEqual({ allowed: true });
    expect(admitPod(asked(pod, { namespace: "kube-system" }), mesh)).toEqual({ allowed: true });
  });

  it("refuses a pod that asks for what it cannot have, and says what", () => {
    const annotations = { "sidecar.istio.io/proxyMemory": "much" };
    expect(admitPod(asked({ ...pod, metadata: { annotations } }), mesh)).toEqual({
      allowed: false,
      message: "the pod cannot be injected: annotation sidecar.istio.io/proxyMemory: much is not a quantity",
    });
    expect(admitPod(asked({ ...pod, spec: { containers: {} } }), mesh)).toMatchObject({ allowed: false });
  });

  it("removes, replaces and adds whole fields, whatever stands in their names", () => {
    const given = { metadata: { a: 1, "b/c~d": 2 }, spec: { same: [1] } };
    expect(patchFor(given, { metadata: { "b/c~d": 3, e: 4 }, spec: { same: [1] } })).toEqual([
      { op: "replace", path: "/metadata/b~1c~0d", value: 3 },
      { op: "add", path: "/metadata/e", value: 4 },
      { op: "remove", path: "/metadata/a" },
    ]);
  });
});

describe("validation by the webhook", () => {
  const route = (spec: unknown, metadata: object = { name: "v" }) => ({
    ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata, spec },
  });
  const wrong = { hosts: ["a"], http: [{ route: [{ destination: { host: "b" }, weight: -1 }], retrys: {} }] };

  it("says what the command line says", () => {
    const { message } = admitObject(asked(route(wrong)));
    const { violations } = loadText(JSON.stringify(route(wrong, { name: "v", namespace: "shop" })));
    const printed = violations.map(formatViolation);
    expect(printed.length).toBeGreaterThan(1);
    for (const part of (message ?? "").split("\n")) expect(printed.some((line) => line.endsWith(part))).toBe(true);
    expect((message ?? "").split("\n")).toHaveLength(printed.length);
  });

  it("takes what is right, with warnings, and what is on its way out", () => {
    const right = { hosts: ["a"], http: [{ route: [{ destination: { host: "b" } }] }] };
    const managed = { generateName: "v-", managedFields: [{}], resourceVersion: "1", uid: "u", finalizers: ["f"] };
    expect(admitObject(asked(route(right, managed)))).toMatchObject({ allowed: true, warnings: [] });
    expect(admitObject(asked(route(wrong, { name: "v", deletionTimestamp: "2026-01-01T00:00:00Z" }))).allowed).toBe(
      true,
    );
    expect(admitObject(asked(route(wrong), { operation: "DELETE" })).allowed).toBe(true);
    const filter = {
      apiVersion: "networking.istio.io/v1alpha3",
      kind: "EnvoyFilter",
      metadata: { name: "f" },
      spec: {},
    };
    expect(admitObject(asked(filter))).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining("EnvoyFilter")],
    });
  });
});
