import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode, encode } from "../../../protos/codec.ts";
import { createResourceEncoder, type EncodedMap, type EncodedResource } from "../../snapshot/encode.ts";
import { layered } from "../../world/layered-map.ts";
import { createResponseEncoder, decodeRequest, messageOf, type UnwrittenResponse, wrapAny } from "./wire.ts";

const text = fc.string({ unit: "grapheme" });
const names = fc.array(text, { maxLength: 4 });

describe("requests", () => {
  it("in delta are read as the codec reads them", () => {
    fc.assert(
      fc.property(
        fc.record({
          typeUrl: text,
          resourceNamesSubscribe: names,
          resourceNamesUnsubscribe: names,
          initialResourceVersions: fc.dictionary(text, text, { noNullPrototype: true }),
          responseNonce: text,
        }),
        (request) => {
          const { request: read } = decodeRequest("delta", encode("DeltaDiscoveryRequest", request))!;
          expect(read).toEqual({
            dialect: "delta",
            typeUrl: request.typeUrl,
            nonce: request.responseNonce,
            error: undefined,
            subscribe: request.resourceNamesSubscribe,
            unsubscribe: request.resourceNamesUnsubscribe,
            initialVersions: request.initialResourceVersions,
          });
        },
      ),
    );
  });

  it("in the state of the world are read as the codec reads them", () => {
    fc.assert(
      fc.property(
        fc.record({ typeUrl: text, resourceNames: names, versionInfo: text, responseNonce: text }),
        (request) => {
          const { request: read } = decodeRequest("sotw", encode("DiscoveryRequest", request))!;
          expect(read).toEqual({
            dialect: "sotw",
            typeUrl: request.typeUrl,
            nonce: request.responseNonce,
            error: undefined,
            names: request.resourceNames,
            version: request.versionInfo,
          });
        },
      ),
    );
  });

  it.each(["delta", "sotw"] as const)("%s: have a node and a reason, and other fields are passed over", (dialect) => {
    const parts = {
      node: { id: "n", metadata: { a: "b" } },
      typeUrl: "t",
      errorDetail: { code: 3, message: "no", details: [] },
    };
    const bytes =
      dialect === "delta"
        ? encode("DeltaDiscoveryRequest", { ...parts, resourceLocatorsSubscribe: [{ name: "x" }] })
        : encode("DiscoveryRequest", { ...parts, resourceLocators: [{ name: "x" }] });
    expect(decodeRequest(dialect, bytes)).toMatchObject({
      request: { typeUrl: "t", error: "no" },
      node: { id: "n", metadata: { a: "b" } },
    });
  });

  it("may be called __proto__ and change nothing by it", () => {
    const { request } = decodeRequest(
      "delta",
      encode("DeltaDiscoveryRequest", { initialResourceVersions: Object.fromEntries([["__proto__", "1"]]) }),
    )!;
    expect(request).toMatchObject({ initialVersions: {} });
    expect(Object.entries((request as { initialVersions: object }).initialVersions)).toEqual([["__proto__", "1"]]);
  });

  it("of any bytes are a request or none, never an exception", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("delta" as const, "sotw" as const),
        fc.uint8Array({ maxLength: 60 }),
        (dialect, bytes) => {
          const read = decodeRequest(dialect, bytes);
          expect(read === undefined || typeof read.request.typeUrl === "string").toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("responses", () => {
  const encoder = createResourceEncoder();
  const responses = createResponseEncoder("us");
  const write = (response: UnwrittenResponse): Uint8Array => {
    const buffer = Buffer.alloc(3 + response.byteLength);
    response.copy(buffer, 3);
    return buffer.subarray(3);
  };
  const sized = (size: number) =>
    encoder.encodeResource("clusters", `c${size}`, { name: `c${size}`, altStatName: "x".repeat(size) });

  it.each([0, 1, 100, 127, 128, 16_000, 70_000, 3_000_000])(
    "with resources of %i bytes are read back by the codec in both dialects",
    (size) => {
      const updates = [sized(size), sized(1)];
      const effect = { kind: "send", typeUrl: "t", nonce: "7", version: "v", updates, removed: ["gone"] } as const;
      const delta = decode("DeltaDiscoveryResponse", write(responses.encodeResponse("delta", effect)));
      expect(delta).toMatchObject({
        typeUrl: "t",
        nonce: "7",
        removedResources: ["gone"],
        controlPlane: { identifier: "us" },
      });
      expect(delta.resources?.map(({ name, version }) => [name, version])).toEqual(
        updates.map(({ name, version }) => [name, version]),
      );
      const world = decode("DiscoveryResponse", write(responses.encodeResponse("sotw", effect)));
      expect(world).toMatchObject({ typeUrl: "t", nonce: "7", versionInfo: "v", controlPlane: { identifier: "us" } });
      expect(world.resources?.map(({ value }) => decode("Cluster", value).name)).toEqual(
        updates.map(({ name }) => name),
      );
    },
  );

  it("say their length before they are written", () => {
    const response = responses.encodeResponse("delta", {
      kind: "send",
      typeUrl: "t",
      nonce: "1",
      version: "",
      updates: [sized(200)],
      removed: [],
    });
    const [with0, with255] = [0, 255].map((fill) => {
      const buffer = Buffer.alloc(response.byteLength + 2, fill);
      response.copy(buffer, 1);
      return buffer;
    });
    expect(with0!.subarray(1, -1).equals(with255!.subarray(1, -1))).toBe(true);
    expect([with255![0], with255!.at(-1)]).toEqual([255, 255]);
  });

  const mapOf = (count: number, name: string): EncodedMap =>
    new Map(
      Array.from({ length: count }, (_, at) => `${name}${10 + at}`).map((each) => [
        each,
        encoder.encodeResource("clusters", each, { name: each }),
      ]),
    );
  const responseOf = (updates: readonly EncodedResource[], basis: EncodedMap) => (nonce: string) =>
    responses.encodeResponse("delta", { kind: "send", typeUrl: "t", nonce, version: "", updates, basis, removed: [] });

  it.each([
    [40, 0, 0],
    [40, 3, 3],
    [40, 3, 1],
    [40, 3, 0],
  ])(
    "of all %i shared and %i own resources, of these %i, share the bytes of what is shared",
    (shared, own, changed) => {
      const basis = own === 0 ? mapOf(shared, "s") : layered(mapOf(shared, "s"), mapOf(own, "o"));
      const updates = [...basis.values()].slice(own - changed);
      const response = responseOf(updates, basis);
      for (const nonce of ["1", "22"]) {
        const bytes = Buffer.concat(response(nonce).pieces() ?? []);
        expect(bytes.length).toBe(response(nonce).byteLength);
        const { resources, ...rest } = decode("DeltaDiscoveryResponse", bytes);
        expect(rest).toEqual({ typeUrl: "t", nonce, controlPlane: { identifier: "us" } });
        expect(resources?.map(({ name, version }) => [name, version]).sort()).toEqual(
          updates.map(({ name, version }) => [name, version]),
        );
      }
      expect(
        response("1")
          .pieces()
          ?.find(({ length }) => length > 500),
      ).toBe(
        response("2")
          .pieces()
          ?.find(({ length }) => length > 500),
      );
    },
  );

  it("of less than a layer are not in pieces", () => {
    const basis = layered(mapOf(40, "s"), mapOf(3, "o"));
    expect(responseOf([...basis.values()].slice(0, -1), basis)("1").pieces()).toBeUndefined();
  });

  it("hold what was packed by others as it is", () => {
    const { resource } = decode("Resource", wrapAny({ name: "n", bytes: anyBytes() }).bytes);
    expect([resource?.typeUrl, ...(resource?.value ?? [])]).toEqual(["istio.io/debug", 1, 2]);
  });

  it("show a resource's own message without decoding it", () => {
    expect(decode("Cluster", messageOf(sized(3)))).toEqual({ name: "c3", altStatName: "xxx" });
  });
});

/** `google.protobuf.Any { type_url: "istio.io/debug", value: 01 02 }`. */
function anyBytes(): Uint8Array {
  const url = new TextEncoder().encode("istio.io/debug");
  return new Uint8Array([0x0a, url.length, ...url, 0x12, 2, 1, 2]);
}
