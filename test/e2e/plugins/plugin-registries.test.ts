// `scrim plugin` and registries that are not open: they ask who one is, speak TLS, or stand behind a proxy.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startForwardProxy } from "../../fakes/forward-proxy.ts";
import { selfSigned } from "../../support/certificate.ts";
import { runScrim } from "../../support/command.ts";
import { repository, request } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { freePorts } from "../../support/serve-settings.ts";
import { startServe } from "../../support/serve.ts";
import { testServer } from "../../support/test-servers.ts";
import { eventually } from "../../support/until.ts";
import { type Registry, startRegistry, USER } from "./registry.ts";

const registryBinary = testServer("registry");
const MODULE = join(repository, "filters/build/examples/add-header.wasm");

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "scrim-plugin-registries-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe.runIf(registryBinary).each(["htpasswd", "token"] as const)("a registry that asks who one is (%s)", (auth) => {
  let registry: Registry;
  beforeAll(async () => void (registry = await startRegistry(registryBinary ?? "", auth)));
  afterAll(() => registry?.close());
  const asUser = ["--username", USER.username, "--password-stdin"];

  it("lets in who proves it, from standard input and from Docker's configuration, and nobody else", async () => {
    const image = `oci://${registry.host}/team/private:v1`;
    const target = join(folder, "private.wasm");
    const anonymous = await runScrim(["plugin", "push", MODULE, image]);
    expect([anonymous.code, anonymous.stderr]).toEqual([1, expect.stringMatching(/refuses access|gave no token/)]);
    expect(await runScrim(["plugin", "push", MODULE, image, ...asUser], { input: `${USER.password}\n` })).toMatchObject(
      { code: 0 },
    );
    const wrong = await runScrim(["plugin", "pull", image, "-f", target, ...asUser], { input: "wrong" });
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/refuses access|gave no token/)]);
    expect(wrong.stderr).not.toContain("wrong");
    const config = file(
      "config.json",
      JSON.stringify({
        auths: { [registry.host]: { auth: Buffer.from(`${USER.username}:${USER.password}`).toString("base64") } },
      }),
    );
    expect(await runScrim(["plugin", "pull", image, "-f", target, "--docker-config", config])).toMatchObject({
      code: 0,
    });
    expect(await runScrim(["plugin", "pull", image, "-f", target], { env: { DOCKER_CONFIG: folder } })).toMatchObject({
      code: 0,
    });
    expect(readFileSync(target).equals(readFileSync(MODULE))).toBe(true);
    // A program that keeps it knows the registry by its name, and nothing of others.
    const bin = mkdtempSync(join(folder, "bin-"));
    writeFileSync(
      join(bin, "docker-credential-test"),
      "#!/bin/sh\nread server\n" +
        `[ "$1 $server" = "get ${registry.host}" ] && printf ` +
        `'{"Username":"${USER.username}","Secret":"${USER.password}"}' && exit 0\n` +
        "echo 'credentials not found in native keychain'\nexit 1\n",
      { mode: 0o755 },
    );
    const keeper = (helper: string) => [
      "--docker-config",
      file(`${helper}.json`, JSON.stringify({ auths: { [registry.host]: {} }, credsStore: helper })),
    ];
    const env = { PATH: `${bin}:${process.env["PATH"]}` };
    expect(await runScrim(["plugin", "pull", image, "-f", target, ...keeper("test")], { env })).toMatchObject({
      code: 0,
      stderr: "",
    });
    const keeperless = await runScrim(["plugin", "pull", image, "-f", target, ...keeper("none")], { env });
    expect([keeperless.code, keeperless.stderr]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(
          "docker-credential-none cannot be asked: there is no such program on PATH .*: going on without it\n" +
            ".*(refuses access|gave no token)",
        ),
      ),
    ]);
    const both = await runScrim(["plugin", "inspect", image, "--against", image, ...asUser, "-o", "json"], {
      input: USER.password,
    });
    expect(JSON.parse(both.stdout)).toMatchObject({ against: { wantsMore: [] } });
  });
});

describe.runIf(registryBinary)("a registry that speaks TLS", () => {
  it("is spoken to so, if its certificate is trusted, and with a credential", async () => {
    const { certificate, key } = selfSigned(["localhost"]);
    const authority = file("tls.pem", certificate);
    const registry = await startRegistry(registryBinary ?? "", "htpasswd", {
      certificate: authority,
      key: file("tls.key", key),
    });
    try {
      const image = `oci://localhost:${registry.host.split(":")[1]}/team/tls:v1`;
      const args = ["plugin", "push", MODULE, image, "--username", USER.username, "--password-stdin"];
      expect(await runScrim(args, { input: USER.password, env: { NODE_EXTRA_CA_CERTS: authority } })).toMatchObject({
        code: 0,
      });
      const strange = await runScrim(args, { input: USER.password });
      expect([strange.code, strange.stderr]).toEqual([1, expect.stringContaining("self-signed certificate")]);
    } finally {
      await registry.close();
    }
  });
});

describe.runIf(registryBinary)("a registry behind a proxy", () => {
  it("is reached through it, name, certificate and credential included", async () => {
    const { certificate, key } = selfSigned(["registry.test"]);
    const authority = file("behind.pem", certificate);
    const registry = await startRegistry(registryBinary ?? "", "htpasswd", {
      certificate: authority,
      key: file("behind.key", key),
    });
    const proxy = await startForwardProxy({ "registry.test": Number(registry.host.split(":")[1]) });
    try {
      const env = {
        NODE_EXTRA_CA_CERTS: authority,
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
        DOCKER_CONFIG: folder,
      };
      const asUser = ["--username", USER.username, "--password-stdin"];
      expect(
        await runScrim(["plugin", "push", MODULE, "oci://registry.test/team/far:v1", ...asUser], {
          input: USER.password,
          env,
        }),
      ).toMatchObject({ code: 0, stderr: "" });
      expect(
        await runScrim(
          ["plugin", "pull", "oci://registry.test/team/far:v1", "-f", join(folder, "far.wasm"), ...asUser],
          { input: USER.password, env },
        ),
      ).toMatchObject({ code: 0, stderr: "" });
      expect(readFileSync(join(folder, "far.wasm")).equals(readFileSync(MODULE))).toBe(true);
      expect(new Set(proxy.asked)).toEqual(new Set(["CONNECT registry.test:443"]));
    } finally {
      proxy.close();
      await registry.close();
    }
  });
});

describe.runIf(registryBinary)("a control plane that runs alone", () => {
  it("fetches from this machine only where it was told that it may", async () => {
    const registry = await startRegistry(registryBinary ?? "");
    const mesh = mkdtempSync(join(folder, "mesh-"));
    try {
      await runScrim(["plugin", "push", MODULE, `oci://${registry.host}/team/alone:v1`]);
      writeFileSync(
        join(mesh, "plugin.yaml"),
        object(
          "WasmPlugin",
          "alone",
          `{url: "oci://${registry.host}/team/alone:v1", pluginConfig: {name: a, value: b}}`,
        ),
      );
      expect(await complaintsOf(mesh)).toContain(
        "127.0.0.1 is a loopback address, from which plugins are fetched only if --allow-fetch-from names it",
      );
      expect(await complaintsOf(mesh, "--allow-fetch-from", "127.0.0.0/8")).toBe("");
      expect(await runScrim(["serve", mesh, "--allow-fetch-from", "home"])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("is no range of addresses"),
      });
    } finally {
      await registry.close();
    }
  });

  /** What a control plane says of its plugins once it has tried them. */
  async function complaintsOf(mesh: string, ...args: readonly string[]): Promise<string> {
    const controlPlane = startServe({
      directories: {
        mesh,
        state: mkdtempSync(join(folder, "state-")),
        cache: mkdtempSync(join(folder, "cache-")),
      },
      ports: await freePorts(),
      args,
    });
    const { admin } = controlPlane;
    try {
      await eventually("plugins that were tried", async () => {
        const waiting = (
          JSON.parse((await request(`${admin}/synced`)).body) as {
            waiting: readonly { who: string }[];
          }
        ).waiting;
        return waiting.some(({ who }) => who.startsWith("WasmPlugin") || who === "control plane") ? undefined : true;
      });
      const violations = JSON.parse((await request(`${admin}/debug/violations`)).body) as readonly {
        message: string;
      }[];
      return violations.map(({ message }) => message).join("\n");
    } finally {
      await controlPlane.stop();
    }
  }
});
