import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { spiffeId } from "../model/spiffe.ts";
import { createCell } from "../stages/cell.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createWorld } from "../world/world.ts";
import { createAuthorityStage } from "./authority-stage.ts";
import { readSigningIdentity, type SigningFiles, type SigningIdentity } from "./signing-identity.ts";
import { filesOf, type Pair, rootPair, signedBy } from "./testing-certificates.ts";

const reviews = spiffeId("cluster.local", "default", "bookinfo-reviews");
const identityOf = (files: SigningFiles) => readSigningIdentity(files, (file) => file, Date.now()) as SigningIdentity;

/** A stage whose store has `first`; sleeps end when they are let end. */
async function start(first: SigningFiles) {
  let put: (next: SigningIdentity) => void = () => undefined;
  const sleeps: { readonly ms: number; readonly end: () => void }[] = [];
  const lines: string[] = [];
  const clock = {
    nowMs: () => Date.now(),
    monotonicMs: () => 0,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleeps.push({ ms, end: resolve });
        signal?.addEventListener("abort", () => reject(signal.reason as Error));
      }),
  };
  const log = (_fields: object, line: string): void => void lines.push(line);
  const stage = createAuthorityStage(
    { workloadLifetimeMs: undefined },
    {
      ...{ clock, metrics: createMetrics(), random: () => 0.5 },
      logger: { info: log, warn: log, error: log } as never,
      store: {
        open: async () => identityOf(first),
        follow: (onReplaced) => void (put = onReplaced),
      },
      serverNames: { dnsNames: ["istiod.istio-system.svc"], ipAddresses: [] },
    },
    createCell(createWorld([])),
  );
  await stage.start?.(new AbortController().signal);
  const signedByNow = (): X509Certificate => {
    const own = stage.issuer.read()?.secretsFor(reviews).get("default")?.tlsCertificate?.certificateChain;
    return new X509Certificate(own?.inlineString ?? "");
  };
  return {
    ...{ stage, lines, sleeps, replace: (files: SigningFiles) => put(identityOf(files)) },
    isSignedBy: ({ pem }: Pair) => signedByNow().verify(new X509Certificate(pem).publicKey),
    isServerOf: ({ pem }: Pair) =>
      new X509Certificate(stage.issuer.read()?.issueServerCertificate().certificate ?? "").verify(
        new X509Certificate(pem).publicKey,
      ),
    roots: () => stage.issuer.read()?.rootPem.match(/BEGIN/g)?.length,
  };
}

describe("a CA certificate that takes the place of another", () => {
  it("of the same root signs at once", async () => {
    const top = rootPair();
    const [first, second] = [signedBy(top), signedBy(top)];
    const mesh = await start(filesOf(first, [], [top]));
    const before = mesh.stage.issuer.read();
    mesh.replace(filesOf(second, [], [top]));
    expect(mesh.stage.issuer.read()).not.toBe(before);
    expect([mesh.isSignedBy(second), mesh.isServerOf(second)]).toEqual([true, true]);
  });

  it("of another root is made known first, and signs when everybody had the time to hear of it", async () => {
    const [old, top] = [rootPair("old"), rootPair("new")];
    const mesh = await start(filesOf(old, [], [old]));
    const next = signedBy(top);
    mesh.replace(filesOf(next, [], [old, top]));
    expect([mesh.isSignedBy(old), mesh.roots()]).toEqual([true, 2]);
    mesh.sleeps.find(({ ms }) => ms === 300_000)?.end();
    await new Promise((resolve) => setTimeout(resolve));
    expect([mesh.isSignedBy(next), mesh.roots()]).toEqual([true, 2]);
    // Proxies that run would take no other for the control plane's.
    expect(mesh.isServerOf(old)).toBe(true);
    expect(mesh.lines).toContainEqual(expect.stringContaining("restart the workloads before the control planes"));
    mesh.replace(filesOf(next, [], [top]));
    expect([mesh.isSignedBy(next), mesh.roots()]).toEqual([true, 1]);
  });

  it("that would cut workloads off from each other is not taken up, and that is said", async () => {
    const [old, top] = [rootPair("old"), rootPair("new")];
    const mesh = await start(filesOf(old, [], [old]));
    mesh.replace(filesOf(top, [], [top]));
    expect([mesh.isSignedBy(old), mesh.roots()]).toEqual([true, 1]);
    expect(mesh.lines).toEqual([expect.stringContaining("put both roots into root-cert.pem first")]);
  });
});
