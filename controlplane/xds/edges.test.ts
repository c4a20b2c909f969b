import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAdmission } from "./admission.ts";
import { createIdentityFile } from "./identities.ts";
import { admitNode } from "./node.ts";

const identity = { namespace: "default", serviceAccount: "web", pod: "web-1" };

describe("a node", () => {
  const id = "sidecar~127.10.4.7~web-1.default~default.svc.cluster.local";

  it("is admitted when it is the pod that the credential names", () => {
    const userAgentBuildVersion = { version: { majorNumber: 1, minorNumber: 40, patch: 0 } };
    expect(
      admitNode(identity, {
        id,
        metadata: { NAME: "web-1", NAMESPACE: "default", SERVICE_ACCOUNT: "web" },
        userAgentBuildVersion,
      }),
    ).toMatchObject({
      kind: "admitted",
      proxy: {
        identity,
        node: { kind: "sidecar", ip: "127.10.4.7", pod: "web-1", namespace: "default", envoyVersion: "1.40.0" },
      },
    });
  });

  it.each([
    ["another pod", { id: id.replace("web-1", "web-2") }],
    ["another namespace", { id: id.replace("web-1.default", "web-1.prod") }],
    ["a name in its metadata", { id, metadata: { NAME: "web-2" } }],
    ["a service account in its metadata", { id, metadata: { SERVICE_ACCOUNT: "admin" } }],
    ["no node at all", undefined],
    ["an id of another form", { id: "web-1.default" }],
  ])("is refused for claiming %s", (_claim, node) => {
    expect(admitNode(identity, node).kind).toBe("refused");
  });
});

describe("the identity file", () => {
  let directory: string;
  let path: string;
  const warnings: string[] = [];
  const write = (content: unknown) => {
    writeFileSync(`${path}.new`, typeof content === "string" ? content : JSON.stringify(content));
    renameSync(`${path}.new`, path);
  };
  const entry = (token: string, pod: string) => ({
    ...identity,
    pod,
    tokenSha256: createHash("sha256").update(token).digest("hex"),
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "scrim-identities-"));
    path = join(directory, "identities.json");
    warnings.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("proves nothing while it is missing, and is read when it comes and whenever it is replaced", () => {
    const authenticate = createIdentityFile(path, (problem) => warnings.push(problem));
    expect(authenticate("one")).toBeUndefined();
    write([entry("one", "web-1")]);
    expect(authenticate("one")).toMatchObject({ pod: "web-1" });
    expect(authenticate("two")).toBeUndefined();
    write([entry("one", "web-1"), entry("two", "web-2")]);
    expect(authenticate("two")).toMatchObject({ pod: "web-2" });
    write([entry("two", "web-2")]);
    expect(authenticate("one")).toBeUndefined();
  });

  it.each(["[{", "{}", "[1]", '[{"tokenSha256":"x","namespace":"a","serviceAccount":"b","pod":"c"}]'])(
    "keeps what was known when it holds %s",
    (broken) => {
      const authenticate = createIdentityFile(path, (problem) => warnings.push(problem));
      write([entry("one", "web-1")]);
      expect(authenticate("one")).toBeDefined();
      write(broken);
      expect(authenticate("one")).toBeDefined();
      expect(warnings).toHaveLength(1);
    },
  );
});

describe("admission", () => {
  /** What began, in order, and the time at which it did; `goOn` lets so much time pass. */
  function setUp(perSecond: number, burst: number) {
    let now = 1_000;
    let timers: { readonly atMs: number; readonly callback: () => void }[] = [];
    const began: string[] = [];
    const admission = createAdmission({
      perSecond,
      burst,
      nowMs: () => now,
      setTimer: (callback, ms) => void timers.push({ atMs: now + ms, callback }),
    });
    const come = (from: string, isGone = () => false): void =>
      admission({ from, isGone, begin: () => void began.push(`${from} ${now - 1_000}`) });
    const goOn = (ms: number): void => {
      const end = now + ms;
      for (;;) {
        const [next] = timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        now = Math.max(now, next.atMs);
        next.callback();
      }
      now = end;
    };
    return { come, goOn, began };
  }

  it("lets a burst in at once and spaces the others evenly", () => {
    const { come, goOn, began } = setUp(10, 3);
    for (const from of ["a", "b", "c", "d", "e"]) come(from);
    expect(began).toEqual(["a 0", "b 0", "c 0"]);
    goOn(1_000);
    expect(began.slice(3)).toEqual(["d 100", "e 200"]);
    for (const from of ["f", "g", "h", "i"]) come(from);
    expect(began.slice(5)).toEqual(["f 1000", "g 1000", "h 1000"]);
  });

  it("lets who comes once in before who comes a thousand times", () => {
    const { come, goOn, began } = setUp(10, 1);
    for (let index = 0; index < 1_000; index++) come("many");
    come("once");
    goOn(250);
    expect(began).toEqual(["many 0", "many 100", "once 200"]);
  });

  it("gives no turn to who has left", () => {
    const { come, goOn, began } = setUp(10, 1);
    for (let index = 0; index < 1_000; index++) come(`gone ${index}`, () => index > 0);
    come("here");
    goOn(150);
    expect(began).toEqual(["gone 0 0", "here 100"]);
  });
});
