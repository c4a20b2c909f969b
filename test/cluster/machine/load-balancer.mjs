// Gives each Service of type LoadBalancer an address out of 10.211.1.0/24; kube-proxy makes it work.
//   node load-balancer.mjs PKI_FOLDER
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";

const file = (name) => readFileSync(join(process.argv[2], name));
const agent = new Agent({ ca: file("ca.crt"), cert: file("admin.crt"), key: file("admin.key"), keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body && { "content-type": "application/merge-patch+json" };
    const sent = request({ agent, host: "127.0.0.1", port: 6443, method, path, headers }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve(JSON.parse(text)));
    });
    sent.on("error", reject);
    sent.end(body && JSON.stringify(body));
  });
}

async function giveAddresses() {
  const { items } = await call("GET", "/api/v1/services");
  const given = new Set(items.flatMap(({ status }) => status.loadBalancer.ingress ?? []).map(({ ip }) => ip));
  for (const { metadata, spec, status } of items) {
    if (spec.type !== "LoadBalancer" || status.loadBalancer.ingress) continue;
    let last = 1;
    while (given.has(`10.211.1.${last}`)) last++;
    const ip = `10.211.1.${last}`;
    given.add(ip);
    await call("PATCH", `/api/v1/namespaces/${metadata.namespace}/services/${metadata.name}/status`, {
      status: { loadBalancer: { ingress: [{ ip, ipMode: "VIP" }] } },
    });
  }
}

// An API server that tests end and start again is asked again.
for (;;) {
  await giveAddresses().catch((error) => console.error(error.message));
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
