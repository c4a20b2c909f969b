import { describe, expect, it } from "vitest";
import { readEnvironment } from "../../settings/environment.ts";
import { createSystemClock } from "../../telemetry/clock.ts";
import { createProgram } from "../index.ts";

async function run(...args: readonly string[]): Promise<string> {
  let printed = "";
  const program = createProgram({
    environment: readEnvironment({}),
    installation: { launcher: "", filtersDir: "", pluginCheckScript: "", yamlThreadScript: "" },
    terminal: { out: (text) => void (printed += text), err: () => undefined },
    clock: createSystemClock(),
  });
  await program.parseAsync(["bootstrap", ...args], { from: "user" });
  return printed;
}

const captured = ["--capture", "REDIRECT", "--workload", "shop/orders-v1", "--label", "app=orders"];

describe("scrim bootstrap --capture", () => {
  it("prints one text for all pods of a workload", async () => {
    const text = await run(...captured, "--xds-address", "istiod.istio-system.svc:15012", "--root-cert", "/root.pem");
    expect(JSON.parse(text)).toMatchObject({
      node: { metadata: { NAMESPACE: "shop", WORKLOAD_NAME: "orders-v1", INTERCEPTION_MODE: "REDIRECT" } },
      admin: { address: { pipe: { path: "/var/run/scrim/envoy-admin.sock" } } },
    });
    expect(text).toContain('"address": "istiod.istio-system.svc"');
    expect(text).toContain('"filename": "/root.pem"');
  });

  it("prints the rules of capture, for each family", async () => {
    const rules = (what: string) => run("--capture", "REDIRECT", "--print", what);
    expect(await rules("iptables")).toContain("-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001");
    expect(await rules("ip6tables")).toContain("-s ::6/128 -j RETURN");
  });

  it("prints the file by which Envoy finds the token", async () => {
    const files = ["--token-file", "/tokens/mine", "--print", "token-secret"];
    expect(await run("--capture", "TPROXY", ...files)).toContain('"filename": "/tokens/mine"');
  });

  it.each([
    [["--capture", "REDIRECT"], /--workload NAMESPACE\/NAME is missing/],
    [[...captured, "--token", "secret"], /--token would stand in the text/],
    [[...captured, "--kind", "router"], /--capture is for sidecars/],
    [[...captured, "--issue-token"], /--issue-token is for one pod: name it by --proxy/],
    [["--proxy", "web"], /--proxy web: write NAMESPACE\/NAME/],
  ])("says of %j what is wrong", async (args, sentence) => {
    await expect(run(...args)).rejects.toThrow(sentence);
  });
});
