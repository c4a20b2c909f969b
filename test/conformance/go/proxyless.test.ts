// An application without a proxy that is written in Go: grpc-go's own xDS client, over the plaintext port, and over the
// secure one with a token.
import { createHash } from "node:crypto";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAuthority } from "../../../controlplane/ca/authority.ts";
import { createSystemClock } from "../../../controlplane/telemetry/clock.ts";
import { createIdentityFile } from "../../../controlplane/xds/identities.ts";
import { createResourceCache } from "../../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsServer } from "../../../controlplane/xds/server.ts";
import { until } from "../../support/until.ts";
import { type Backend, routeTo, setBackend, setGreeter, startBackend } from "../proxyless-world.ts";
import { goClients, withoutGo } from "./clients.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** grpc-go reads out of it how long it lasts, and nothing else; to us it is a token like any other. */
const token = `${base64({ alg: "none" })}.${base64({ exp: 4_000_000_000 })}.x`;
const nodeId = "sidecar~127.0.0.1~app-1.default~default.svc.cluster.local";

class Application {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(xdsServer: object) {
    const bootstrap = { xds_servers: [xdsServer], node: { id: nodeId, locality: {} } };
    this.#child = spawn(goClients, ["proxyless", "xds:///greeter"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap), GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS: "true" },
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async call(text: string): Promise<string> {
    this.#child.stdin!.write(`${text}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the application has ended");
    return value;
  }

  /** Who answers `count` calls, and how often. */
  async answers(count: number): Promise<Record<string, number>> {
    const seen: Record<string, number> = {};
    for (let made = 0; made < count; made++) {
      const [who = ""] = (await this.call("hello")).split(" heard ");
      seen[who] = (seen[who] ?? 0) + 1;
    }
    return seen;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const isOver = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await isOver;
  }
}

describe.skipIf(withoutGo !== undefined).each(["plaintext", "secure"] as const)(
  `an application in Go without a proxy, on the %s port${withoutGo === undefined ? "" : `: left out, ${withoutGo}`}`,
  (port) => {
    let one: Backend;
    let two: Backend;
    let server: XdsServer;
    let application: Application;
    const directory = mkdtempSync(join(tmpdir(), "scrim-proxyless-"));
    const cache = createResourceCache();
    const group = cache.group("all");

    function createServer(): XdsServer {
      const common = { ...cache.source(() => "all"), clock: createSystemClock(), log: silent };
      if (port === "plaintext") return createXdsServer({ ...common, plaintext: { host: "127.0.0.1", port: 0 } });
      const opening = openAuthority({
        directory: join(directory, "ca"),
        trustDomain: "cluster.local",
        clock: createSystemClock(),
      });
      if (opening.kind === "failed") throw new Error(opening.message);
      writeFileSync(join(directory, "root.pem"), opening.authority.rootPem);
      writeFileSync(join(directory, "token.jwt"), token);
      writeFileSync(
        join(directory, "identities.json"),
        JSON.stringify([
          {
            tokenSha256: createHash("sha256").update(token).digest("hex"),
            namespace: "default",
            pod: "app-1",
            serviceAccount: "app",
          },
        ]),
        { mode: 0o600 },
      );
      const { chainPem, keyPem } = opening.authority.issueServerCertificate({
        dnsNames: [],
        ipAddresses: ["127.0.0.1"],
      });
      return createXdsServer({
        ...common,
        secure: {
          host: "127.0.0.1",
          port: 0,
          certificate: { certificate: chainPem, key: keyPem },
          authenticate: createIdentityFile(join(directory, "identities.json"), () => undefined),
        },
      });
    }

    /** The server as grpc-go's bootstrap names it. */
    function serverEntry(): object {
      const { port: number } = port === "plaintext" ? server.plaintextAddress()! : server.address();
      const common = { server_uri: `127.0.0.1:${number}`, server_features: ["xds_v3"] };
      if (port === "plaintext") return { ...common, channel_creds: [{ type: "insecure" }] };
      return {
        ...common,
        channel_creds: [{ type: "tls", config: { ca_certificate_file: join(directory, "root.pem") } }],
        call_creds: [{ type: "jwt_token_file", config: { jwt_token_file: join(directory, "token.jwt") } }],
      };
    }

    beforeAll(async () => {
      [one, two] = await Promise.all([startBackend("one"), startBackend("two")]);
      setGreeter(group);
      setBackend(group, "one", one.port);
      routeTo(group, "one");
      cache.publish();
      server = createServer();
      cache.onPublish(() => server.notify());
      await server.listen();
      application = new Application(serverEntry());
    });
    afterAll(async () => {
      await application?.stop();
      await server?.close();
      one?.stop();
      two?.stop();
      rmSync(directory, { recursive: true, force: true });
    });
    const status = () => server.status()[0];
    const synced = () =>
      until(
        () => status()?.synced === true,
        "a synced application",
        () => JSON.stringify(server.status()),
      );

    it("finds its server", async () => {
      expect(await application.call("hello")).toBe("one heard hello");
      await synced();
      expect(server.status()).toMatchObject([
        {
          nodeId,
          isProven: port === "secure",
          types: {
            lds: { state: "SYNCED" },
            rds: { state: "SYNCED" },
            cds: { state: "SYNCED" },
            eds: { state: "SYNCED" },
          },
        },
      ]);
    });

    it("divides calls by weight, and follows the weights", async () => {
      setBackend(group, "two", two.port);
      routeTo(group, { one: 50, two: 50 });
      cache.publish();
      await synced();
      const both = await application.answers(100);
      expect(Object.keys(both).sort()).toEqual(["one", "two"]);
      routeTo(group, { one: 0, two: 100 });
      cache.publish();
      await synced();
      await until(async () => (await application.answers(1))["two"] === 1, "the other's answer");
      expect(await application.answers(50)).toEqual({ two: 50 });
    });

    it("follows endpoints, with no failure between", async () => {
      setBackend(group, "two", one.port);
      cache.publish();
      const seen = new Set<string>();
      for (let made = 0; made < 400 && !seen.has("one"); made++)
        seen.add(Object.keys(await application.answers(1))[0]!);
      expect([...seen].filter((who) => who !== "one" && who !== "two")).toEqual([]);
      expect(seen).toContain("one");
    });

    it("says what it cannot use, keeps what it had, and takes the next", async () => {
      group.set("clusters", "two", { name: "two", type: "ORIGINAL_DST" });
      cache.publish();
      await until(
        () => status()?.types.cds.state === "ERROR",
        "the rejection",
        () => JSON.stringify(server.status()),
      );
      expect(status()!.rejections).toMatchObject([
        { type: "cds", resources: ["two"], message: expect.stringMatching(/./) },
      ]);
      expect(await application.call("hello")).toBe("one heard hello");
      setBackend(group, "two", two.port);
      cache.publish();
      await synced();
      await until(async () => (await application.answers(1))["two"] === 1, "the next endpoint's answer");
    });

    it("hears of what is removed, and of its return", async () => {
      group.delete("listeners", "greeter");
      cache.publish();
      await until(async () => (await application.call("hello")).startsWith("error 14"), "a call without a listener");
      setGreeter(group);
      cache.publish();
      await until(async () => (await application.call("hello")) === "two heard hello", "the listener's return");
    });
  },
);
