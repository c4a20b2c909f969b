// Jobs as local processes: each pod runs until it has ended well, and then nobody waits for it any more.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoApps } from "../../support/workloads.ts";

/** Asks the mesh once, through its sidecar, and is content with 200. */
const ASKS = `
import http from "node:http";
const { hostname, port } = new URL(process.env.HTTP_PROXY);
http.get({ hostname, port, path: "http://web/asked", headers: { host: "web" } }, (answer) => {
  console.log("was answered", answer.statusCode);
  process.exit(answer.statusCode === 200 ? 0 : 3);
}).on("error", () => process.exit(4));
`;
const job = (name: string, command: string, more = ""): string =>
  object(
    "Job",
    name,
    `{${more} template: {metadata: {labels: {app: ${name}}, annotations: {scrim.mesh/local-command: ${command}}}, spec: {containers: [{name: a}], restartPolicy: Never}}}`,
  );

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "ask.mjs": ASKS,
      "web.yaml": echoApps("web"),
      "jobs.yaml": documents(
        job("asks", "exec node ask.mjs", "completions: 2,"),
        job("fails", "exit 7", "backoffLimit: 1,"),
      ),
    },
  });
});
afterAll(() => mesh?.stop());

describe("a Job", () => {
  it("runs once in each of its pods, with a sidecar, and says when each has ended", async () => {
    await eventually("both to end well", () =>
      mesh.output().match(/asks-\d-\w+ has ended well, after [\d.]+ s/g)?.length === 2 ? true : undefined,
    );
    expect(mesh.accessLog("asks")).toContain("/asked");
    await eventually("their proxies to be gone", async () =>
      (await mesh.proxies()).every(({ workload }) => workload !== "asks") ? true : undefined,
    );
  });

  it("that fails is started again as often as it says, and then is told of", async () => {
    await eventually("it to be given up", () =>
      /fails-0-\w+ has failed: it was run 2 times in [\d.]+ s, and .*7/.test(mesh.output()) ? true : undefined,
    );
  });

  it("is waited for no more when it has ended, and is run anew when its template is another", async () => {
    await mesh.synced();
    const early = mesh.output().length;
    await mesh.apply("jobs.yaml", job("asks", "exec node ./ask.mjs"));
    await eventually("the new one", () =>
      /asks-\d-\w+ has ended well/.test(mesh.output().slice(early)) ? true : undefined,
    );
    await eventually("the old ones to be gone", () =>
      /stopped fails-0/.test(mesh.output().slice(early)) ? true : undefined,
    );
    await mesh.synced();
  });
});
