import { describe, expect, it } from "vitest";
import { failed } from "../model/failure.ts";
import type { ApiAnswer, ApiCall } from "../kubernetes/api-client.ts";
import { admitNode } from "../xds/node.ts";
import { createPodTokens } from "./pod-tokens.ts";

const HOUR_MS = 3_600_000;
const answer = (status: number, body: unknown): ApiAnswer => ({ kind: "answer", status, body });
const jwt = (claims: object): string =>
  ["{}", JSON.stringify(claims), "signature"].map((part) => Buffer.from(part).toString("base64url")).join(".");

/** A cluster with one pod `web-1`, uid `one`, whose token says so. */
function setUp() {
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  const token = jwt({ aud: ["istio-ca"], exp: nowMs / 1_000 + 12 * 3_600 });
  const calls: ApiCall[] = [];
  const lines: string[] = [];
  const cluster = {
    isReachable: true,
    watched: "one" as string | undefined,
    pod: { metadata: { uid: "one" }, spec: { nodeName: "node-1" } } as object | undefined,
    user: {
      username: "system:serviceaccount:default:web",
      groups: ["system:serviceaccounts", "system:authenticated"],
      extra: {
        "authentication.kubernetes.io/pod-name": ["web-1"],
        "authentication.kubernetes.io/pod-uid": ["one"],
        "authentication.kubernetes.io/node-name": ["node-1"],
      },
    } as object,
    status: { authenticated: true, audiences: ["istio-ca"] } as object,
  };
  const log = (_fields: object, line: string): void => void lines.push(line);
  const authenticate = createPodTokens({
    api: {
      async request(call) {
        calls.push(call);
        if (!cluster.isReachable) return failed("unreachable", "nobody is there");
        if (call.method === "POST") return answer(201, { status: { ...cluster.status, user: cluster.user } });
        return cluster.pod === undefined ? answer(404, {}) : answer(200, cluster.pod);
      },
    },
    audience: "istio-ca",
    podUid: () => cluster.watched,
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    logger: { warn: log, info: log },
  });
  return {
    ...{ authenticate, cluster, calls, lines, token },
    reviews: () => calls.filter(({ method }) => method === "POST").length,
    goOn: (ms: number) => void (nowMs += ms),
  };
}

const PROVEN = { kind: "proven", identity: { namespace: "default", serviceAccount: "web", pod: "web-1" } };
const UNPROVEN = { kind: "failed", code: "unproven" };
const UNAVAILABLE = { kind: "failed", code: "unavailable" };

describe("a pod's token", () => {
  it("is the pod's that it was made for, asked for once by all that come together and while it is fresh", async () => {
    const { authenticate, calls, token, goOn, reviews } = setUp();
    const all = await Promise.all(Array.from({ length: 5 }, () => authenticate(token)));
    for (const one of all) expect(one).toMatchObject({ ...PROVEN, holdsForMs: 10_000 });
    goOn(200_000);
    await authenticate(token);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({
      path: "/apis/authentication.k8s.io/v1/tokenreviews",
      body: { spec: { token, audiences: ["istio-ca"] } },
    });
    goOn(200_000);
    await authenticate(token);
    expect(reviews()).toBe(2);
  });

  it.each<[string, object]>([
    ["is for another audience, whatever the server says of it", { aud: ["https://kubernetes.default.svc"] }],
    ["has expired", { aud: "istio-ca", exp: 1 }],
  ])("that %s is refused without a word to the server", async (_name, claims) => {
    const { authenticate, calls } = setUp();
    expect(await authenticate(jwt(claims))).toMatchObject(UNPROVEN);
    expect(await authenticate("anything")).toMatchObject(UNPROVEN);
    expect(await authenticate(`${"x".repeat(20_000)}.e30.x`)).toMatchObject(UNPROVEN);
    expect(calls).toEqual([]);
  });

  it.each<[string, (cluster: ReturnType<typeof setUp>["cluster"]) => void]>([
    ["the server does not know", (cluster) => (cluster.status = { authenticated: false, error: "no" })],
    ["the server takes for its own", (cluster) => (cluster.status = { authenticated: true })],
    ["is a person's", (cluster) => (cluster.user = { ...cluster.user, username: "admin" })],
    ["has five parts", (cluster) => (cluster.user = { ...cluster.user, username: "system:serviceaccount:a:b:c" })],
    ["is in no group of accounts", (cluster) => (cluster.user = { ...cluster.user, groups: [] })],
    [
      "has an account with dots on end",
      (cluster) => (cluster.user = { ...cluster.user, username: "system:serviceaccount:a:b..c" }),
    ],
  ])("that %s is refused, and not asked for again at once", async (_name, change) => {
    const { authenticate, cluster, token, calls, goOn } = setUp();
    change(cluster);
    expect(await authenticate(token)).toMatchObject(UNPROVEN);
    expect(await authenticate(token)).toMatchObject(UNPROVEN);
    expect(calls).toHaveLength(1);
    goOn(3_000);
    await authenticate(token);
    expect(calls).toHaveLength(2);
  });

  it("that was made for no pod is its account's, which may ask and is no proxy", async () => {
    const { authenticate, cluster, token } = setUp();
    cluster.user = { ...cluster.user, extra: {} };
    const proof = await authenticate(token);
    if (proof.kind === "failed") throw new Error(proof.message);
    expect(proof.identity).toEqual({ namespace: "default", serviceAccount: "web", pod: "" });
    for (const id of ["sidecar~10.0.0.1~web-1.default~x", "sidecar~10.0.0.1~.default~x", "sidecar~~~"])
      expect(admitNode(proof.identity, { id })).toMatchObject({ kind: "failed" });
  });

  it("proves nothing any more when its pod is gone or another one of its name", async () => {
    for (const pod of [undefined, { metadata: { uid: "two" }, spec: { nodeName: "node-1" } }]) {
      const { authenticate, cluster, token, goOn } = setUp();
      expect(await authenticate(token)).toMatchObject(PROVEN);
      Object.assign(cluster, { watched: undefined, pod });
      goOn(10_000);
      expect(await authenticate(token)).toMatchObject(UNPROVEN);
    }
  });

  it("is believed where the watch is behind, and not where the pod runs on another node", async () => {
    const { authenticate, cluster, token, goOn } = setUp();
    for (const watched of [undefined, "the one before"]) {
      cluster.watched = watched;
      expect(await authenticate(token)).toMatchObject(PROVEN);
    }
    cluster.pod = { metadata: { uid: "one" }, spec: { nodeName: "node-2" } };
    goOn(10_000);
    expect(await authenticate(token)).toMatchObject(UNPROVEN);
  });

  it("holds to its end, to the second", async () => {
    const { authenticate, token, goOn } = setUp();
    goOn(12 * HOUR_MS - 4_000);
    expect(await authenticate(token)).toMatchObject({ ...PROVEN, holdsForMs: 4_000 });
    goOn(4_000);
    expect(await authenticate(token)).toMatchObject(UNPROVEN);
  });
});

describe("without an API server", () => {
  it("who is known stays for an hour, who is not has to come again, and that is said once each way", async () => {
    const { authenticate, cluster, token, goOn, lines, calls } = setUp();
    await authenticate(token);
    Object.assign(cluster, { isReachable: false, watched: undefined });
    const other = jwt({ aud: ["istio-ca"], jti: "other" });
    expect(await authenticate(other)).toMatchObject(UNAVAILABLE);
    const asked = calls.length;
    expect(await authenticate(other)).toMatchObject(UNAVAILABLE);
    expect(calls).toHaveLength(asked);
    goOn(HOUR_MS);
    expect(await authenticate(token)).toMatchObject(PROVEN);
    goOn(1);
    expect(await authenticate(token)).toMatchObject(UNAVAILABLE);
    expect(lines).toEqual([expect.stringContaining("nobody is there; proxies that are known stay for an hour")]);
    goOn(1_000);
    cluster.isReachable = true;
    expect(await authenticate(token)).toMatchObject(PROVEN);
    expect(lines[1]).toBe("whose tokens are can be asked again");
    expect(lines.join()).not.toContain(token);
  });

  it("no more than a few reviews are under way", async () => {
    let [open, most] = [0, 0];
    const authenticate = createPodTokens({
      api: {
        async request() {
          most = Math.max(most, ++open);
          await new Promise((resolve) => setTimeout(resolve, 5));
          open--;
          return answer(201, { status: { authenticated: false } });
        },
      },
      ...{ audience: "istio-ca", podUid: () => undefined },
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
      logger: { warn: () => undefined, info: () => undefined },
    });
    await Promise.all(Array.from({ length: 100 }, (_, index) => authenticate(jwt({ aud: "istio-ca", jti: index }))));
    expect(most).toBe(16);
  });
});
