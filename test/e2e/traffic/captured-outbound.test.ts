// What programs send that know of no proxy arrives where the mesh says: real rules, real original destinations.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCapturedClient, type CapturedClient } from "../../support/captured-client.ts";
import { until } from "../../support/until.ts";
import { namespacesMissing } from "../../support/namespaces.ts";

const missing = namespacesMissing();
const where = missing === undefined ? "" : ` (${missing})`;

const pod = (name: string, ip: string, app: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${app}}}
spec: {containers: [{name: app}]}
status: {podIP: ${ip}, phase: Running, conditions: [{type: Ready, status: "True"}]}
---`;

const mesh = `
apiVersion: v1
kind: Pod
metadata:
  name: client-0
  labels: {app: client}
  annotations: {scrim.mesh/workload: client, scrim.mesh/proxy: sidecar, scrim.mesh/capture: REDIRECT}
spec: {containers: [{name: app}]}
status: {podIP: 10.10.0.1, phase: Running, conditions: [{type: Ready, status: "True"}]}
---
${pod("web-0", "10.10.0.2", "web")}
${pod("cart-0", "10.10.0.3", "cart")}
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.7
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-first, port: 5432}, {name: more, port: 9000}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: default}
spec:
  selector: {app: cart}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-first, port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: peers}
spec:
  clusterIP: None
  selector: {}
  ports: [{name: tcp-peer, port: 7000}, {name: http-peer, port: 7001}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: peers, labels: {kubernetes.io/service-name: peers}}
ports: [{name: tcp-peer, port: 7000}, {name: http-peer, port: 7001}]
endpoints: [{addresses: [10.10.0.2]}, {addresses: [10.10.0.3]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [api.example.com]
  ports:
  - {number: 80, name: http, protocol: HTTP, targetPort: 8080}
  - {number: 5432, name: tcp, protocol: TCP}
  - {number: 443, name: tls, protocol: TLS}
  resolution: STATIC
  endpoints: [{address: 10.10.0.4}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy}
spec:
  hosts: [legacy.example.com]
  addresses: [192.0.2.0/24]
  ports: [{number: 6379, name: tcp-db, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 10.10.0.4}]
`;

describe.skipIf(missing !== undefined)(`a captured client${where}`, () => {
  let client: CapturedClient;

  beforeAll(async () => {
    client = await startCapturedClient(mesh, "default/client", {
      http: [
        "10.10.0.2:8080",
        "10.10.0.3:8080",
        "10.10.0.4:8080",
        "10.10.0.2:9000",
        "10.10.0.2:7001",
        "10.10.0.3:7001",
        "10.10.0.9:80",
        "10.10.0.9:1234",
      ],
      first: [
        "10.10.0.2:5432",
        "10.10.0.3:5432",
        "10.10.0.4:5432",
        "10.10.0.2:7000",
        "10.10.0.3:7000",
        "10.10.0.4:6379",
        "10.10.0.9:5000",
      ],
      tls: ["10.10.0.4:443"],
      names: {
        "elsewhere.example.org": "10.10.0.9",
        "a.looked-up.example.com": "10.10.0.9",
        "b.looked-up.example.com": "10.10.0.4",
      },
    });
  }, 60_000);
  afterAll(async () => client?.end());

  const get = (url: string, ...options: readonly string[]) => client.run(`curl -s -m 4 ${options.join(" ")} ${url}`);
  const lineFrom = (address: string, port: number) =>
    client.run(`exec 3<>/dev/tcp/${address}/${port} && timeout 3 head -n 1 <&3`);

  it("finds services by name, short and full", () => {
    expect(get("http://web/a")).toBe("10.10.0.2:8080 web /a");
    expect(get("http://web.default.svc.cluster.local/b")).toBe("10.10.0.2:8080 web.default.svc.cluster.local /b");
    expect(get("http://cart/")).toBe("10.10.0.3:8080 cart /");
  });

  it("routes HTTP by its host, whatever the address", () => {
    expect(get("http://10.96.0.7/")).toBe("10.10.0.2:8080 10.96.0.7 /");
    expect(get("http://10.96.0.7/", "-H 'Host: cart'")).toBe("10.10.0.3:8080 cart /");
  });

  it("finds what is not HTTP by address, also where the server speaks first", () => {
    expect(lineFrom("10.96.0.7", 5432)).toBe("10.10.0.2:5432\n");
    expect(lineFrom("web", 5432)).toBe("10.10.0.2:5432\n");
    expect(lineFrom("cart", 5432)).toBe("10.10.0.3:5432\n");
  });

  it("gives hosts without an address one", () => {
    expect(lineFrom("api.example.com", 5432)).toBe("10.10.0.4:5432\n");
    expect(get("http://api.example.com/")).toBe("10.10.0.4:8080 api.example.com /");
    expect(client.run("getent ahostsv4 api.example.com")).toMatch(/^240\.240\./);
  });

  it("looks at the first bytes where nobody says what a port speaks", () => {
    expect(get("http://web:9000/")).toBe("10.10.0.2:9000 web:9000 /");
  });

  it("takes a client of a headless service to the pod that it chose", () => {
    for (const address of ["10.10.0.2", "10.10.0.3"]) {
      expect(lineFrom(address, 7000)).toBe(`${address}:7000\n`);
      expect(get(`http://${address}:7001/`)).toBe(`${address}:7001 ${address}:7001 /`);
    }
  });

  it("finds a service by its block of addresses", () => {
    expect(lineFrom("192.0.2.77", 6379)).toBe("10.10.0.4:6379\n");
  });

  it("finds TLS by the name that is asked for, at whatever address", () => {
    const names = client.run(
      "curl -skv -m 4 --resolve api.example.com:443:10.10.0.9 https://api.example.com/ 2>&1 | grep -c 'Connected\\|^10.10.0.4:443'",
    );
    expect(names.trim()).toBe("2");
  });

  it("lets through what nobody declared", () => {
    expect(lineFrom("10.10.0.9", 5000)).toBe("10.10.0.9:5000\n");
    expect(get("http://10.10.0.9:1234/")).toBe("10.10.0.9:1234 10.10.0.9:1234 /");
    expect(get("http://10.10.0.9/")).toBe("10.10.0.9:80 10.10.0.9 /");
    expect(get("http://elsewhere.example.org/")).toBe("10.10.0.9:80 elsewhere.example.org /");
  });

  it("does not come back to itself when its port is asked for", () => {
    expect(client.run("exec 3<>/dev/tcp/10.10.0.1/15001 && timeout 3 head -n 1 <&3 | wc -c")).toBe("0\n");
  });

  describe("when its mesh changes", () => {
    const rule = (name: string, spec: string) =>
      `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
    const changed = async (text: string, holds: () => boolean) => {
      client.change(mesh + text);
      await until(holds, "the change");
    };
    const stat = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(client.admin("/stats"))?.[1]);

    it("shares connections by weight", async () => {
      const to = (host: string) => `{destination: {host: ${host}}, weight: 1}`;
      const shares = rule(
        "web",
        `{hosts: [web], tcp: [{match: [{port: 5432}], route: [${to("web")}, ${to("cart")}]}]}`,
      );
      const found = new Set<string>();
      await changed(shares, () => found.add(lineFrom("web", 5432)).size === 2);
      expect([...found].sort()).toEqual(["10.10.0.2:5432\n", "10.10.0.3:5432\n"]);
      expect(lineFrom("cart", 5432)).toBe("10.10.0.3:5432\n");
    });

    it("leaves connections to other services alone", async () => {
      const names = ["modified", "in_place_updated", "added", "removed"].map(
        (what) => `listener_manager.listener_${what}`,
      );
      await changed("", () => lineFrom("web", 5432) === "10.10.0.2:5432\n");
      const before = names.map(stat);
      const open = client.open(
        "exec 3<>/dev/tcp/10.96.0.7/5432; while read -u 3 line; do echo $line; echo again >&3; sleep 0.1; done",
      );
      const lines: string[] = [];
      open.stdout?.on("data", (text) => lines.push(String(text)));
      await until(() => lines.length > 2, "an open connection");
      const more = `---\napiVersion: v1\nkind: Service\nmetadata: {name: fresh}\nspec: {clusterIP: 10.96.0.99, selector: {app: web}, ports: [{name: tcp-first, port: 5432}, {name: more, port: 9000}, {name: http, port: 80, targetPort: 8080}]}\n`;
      await changed(more, () => lineFrom("fresh", 5432) === "10.10.0.2:5432\n");
      // The names, and the HTTP of port 80, in place: here its routes stand inside of it. Two addresses are new.
      expect(names.map((name, index) => stat(name) - (before[index] ?? 0))).toEqual([2, 1, 2, 0]);
      expect(stat("listener_manager.total_filter_chains_draining")).toBe(1);
      const sofar = lines.length;
      await until(() => lines.length > sofar + 3, "the connection to live on");
      open.kill();
    });

    it("finds hosts that nobody declared by their names, where that is wanted", async () => {
      const dynamic =
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}'}\n";
      const elsewhere = (address: string) => get(`http://${address}/`, "-H 'Host: elsewhere.example.org'");
      const found = "10.10.0.9:80 elsewhere.example.org /";
      await changed(dynamic, () => elsewhere("10.10.0.2") === found);
      expect(lineFrom("10.10.0.9", 5000)).toBe("10.10.0.9:5000\n");
      expect(get("http://web/a")).toBe("10.10.0.2:8080 web /a");
    });

    it("looks up the names that requests and TLS ask for, wherever they were going, where an entry wants it", async () => {
      const entry =
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: looked-up}\nspec: {hosts: ['*.looked-up.example.com'], ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}], location: MESH_EXTERNAL, resolution: DYNAMIC_DNS}\n";
      const asked = () => get("http://10.10.0.2/", "-H 'Host: a.looked-up.example.com'");
      await changed(entry, () => asked() === "10.10.0.9:80 a.looked-up.example.com /");
      const host = "b.looked-up.example.com";
      expect(get(`https://${host}/`, `-k --resolve ${host}:443:10.10.0.2`)).toMatch(/^10\.10\.0\.4:443/);
      expect(get("http://web/a")).toBe("10.10.0.2:8080 web /a");
    });

    it("lets nothing through but what is declared, where that is wanted", async () => {
      const only =
        "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: default}\nspec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n";
      await changed(only, () => lineFrom("10.10.0.9", 5000) === "");
      expect(get("http://10.10.0.9/", "-o /dev/null -w '%{http_code}'")).toBe("502");
      expect(get("http://10.10.0.9:1234/", "-o /dev/null -w '%{http_code}'")).toBe("000");
      expect(get("http://web/a")).toBe("10.10.0.2:8080 web /a");
    });
  });
});
