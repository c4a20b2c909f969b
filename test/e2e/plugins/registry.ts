// A real registry (CNCF distribution) for one test file, open or with authentication, and a server of tokens for it.
import { spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "../../support/mesh.ts";
import { freePort } from "../../support/ports.ts";
import { eventually } from "../../support/until.ts";

/** Who may push and pull where somebody must prove who they are. */
export const USER = { username: "tester", password: "scrim-test-password" };
/** bcrypt of USER's password, as `htpasswd -B` writes it. */
const HTPASSWD = `${USER.username}:$2b$04$BZmFz5JgJf0CB5RlgPqeyuBfi9dEIxyHF6rDotV4MuTBri5vhnJHK\n`;

export interface Registry {
  /** As in `127.0.0.1:41233`. */
  readonly host: string;
  /** Ends the process; `start` brings it back with what it had. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Files of a certificate and its key: then the registry speaks TLS. */
export interface RegistryTls {
  readonly certificate: string;
  readonly key: string;
}

/** Starts the registry of `binary`. */
export async function startRegistry(
  binary: string,
  auth: "none" | "htpasswd" | "token" = "none",
  tls?: RegistryTls,
): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), "scrim-registry-"));
  const port = await freePort();
  const tokens = auth === "token" ? await startTokenServer(folder) : undefined;
  writeFileSync(join(folder, "htpasswd"), HTPASSWD);
  const authentication = {
    none: {},
    htpasswd: { htpasswd: { realm: "test", path: join(folder, "htpasswd") } },
    token: { token: tokens?.settings },
  }[auth];
  writeFileSync(
    join(folder, "config.yml"),
    JSON.stringify({
      version: "0.1",
      log: { level: "error", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, "data") } },
      http: { addr: `127.0.0.1:${port}`, secret: "test", ...(tls !== undefined && { tls }) },
      ...(auth !== "none" && { auth: authentication }),
    }),
  );
  let running: { readonly child: ReturnType<typeof spawn>; readonly ended: Promise<void> } | undefined;
  const registry: Registry = {
    host: `127.0.0.1:${port}`,
    async start() {
      let said = "";
      const child = spawn(binary, ["serve", join(folder, "config.yml")], { stdio: ["ignore", "pipe", "pipe"] });
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
      running = { child, ended: new Promise((resolve) => child.once("exit", () => resolve())) };
      await eventually("the registry", async () => {
        if (child.exitCode !== null) throw new Error(said);
        // 400: it speaks TLS.
        return [200, 400, 401].includes((await request(`http://127.0.0.1:${port}/v2/`)).status) ? true : undefined;
      });
    },
    async stop() {
      running?.child.kill("SIGTERM");
      await running?.ended;
      running = undefined;
    },
    async close() {
      await registry.stop();
      tokens?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await registry.start();
  return registry;
}

/** Gives tokens to USER, as https://distribution.github.io/distribution/spec/auth/jwt/ describes them. */
async function startTokenServer(folder: string): Promise<{ readonly settings: object; close(): void }> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(
    join(folder, "jwks.json"),
    JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "test", use: "sig", alg: "ES256" }] }),
  );
  const server = http.createServer((asked, response) => {
    const expected = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString("base64")}`;
    if (asked.headers.authorization !== expected) return void response.writeHead(401).end();
    const query = new URL(asked.url ?? "", "http://tokens").searchParams;
    const access = query
      .getAll("scope")
      .map((scope) => scope.split(":"))
      .map(([type, name, actions = ""]) => ({ type, name, actions: actions.split(",") }));
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: "test-issuer",
      sub: USER.username,
      aud: query.get("service"),
      iat: now,
      nbf: now - 5,
      exp: now + 300,
      jti: randomUUID(),
      access,
    };
    const parts = [{ typ: "JWT", alg: "ES256", kid: "test" }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const signature = sign("sha256", Buffer.from(parts), { key: privateKey, dsaEncoding: "ieee-p1363" });
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ token: `${parts}.${signature.toString("base64url")}` }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return {
    settings: {
      realm,
      service: "test-registry",
      issuer: "test-issuer",
      jwks: join(folder, "jwks.json"),
      signingalgorithms: ["ES256"],
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
