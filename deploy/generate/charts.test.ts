// A real Helm makes of the charts what the CLI makes of the descriptions.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { describe, expect, it } from "vitest";
import type { KubernetesObject } from "../../controlplane/install/description/render.ts";
import { describeInstallation } from "../../controlplane/install/installation.ts";
import { assign, parseAssignment } from "../../controlplane/install/values/assignment.ts";
import { type Profile, profiles } from "../../controlplane/install/values/profiles.ts";
import type { Values } from "../../controlplane/install/values/words.ts";
import { isFailed } from "../../controlplane/model/failure.ts";
import { run } from "../../test/support/command.ts";
import { testServer } from "../../test/support/test-servers.ts";

const helm = testServer("helm");
const charts = join(dirname(fileURLToPath(import.meta.url)), "../charts");

async function template(chart: string, namespace: string, ...args: string[]): Promise<readonly KubernetesObject[]> {
  const { code, stdout, stderr } = await run(helm ?? "", [
    "template",
    "mesh",
    join(charts, chart),
    "-n",
    namespace,
    ...args,
  ]);
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null)
    .filter(({ metadata }) => metadata.annotations?.["helm.sh/hook"] === undefined);
}

const key = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.namespace ?? ""} ${metadata.name}`;
const byKey = (objects: readonly KubernetesObject[]) =>
  Object.fromEntries(objects.map((object) => [key(object), object]));

function ofCli(values: Values, namespace: string, isWanted: (title: string) => boolean): readonly KubernetesObject[] {
  const installation = describeInstallation(values, namespace);
  if (isFailed(installation)) throw new Error(installation.message);
  return installation.steps.filter(({ title }) => isWanted(title)).flatMap(({ objects }) => objects);
}

const isOfControlPlane = (title: string) => !title.startsWith("Gateway") && !title.startsWith("Definitions");
const isGateway = (title: string) => title.startsWith("Gateway");

const setAll = (settings: readonly string[], under: readonly string[] = []) =>
  settings.reduce<Values>((values, text) => {
    const assignment = parseAssignment(text);
    if (isFailed(assignment)) throw new Error(assignment.message);
    return assign(values, { ...assignment, path: [...under, ...assignment.path] });
  }, {});

const forControlPlane: readonly (readonly string[])[] = [
  [],
  ["revision=canary", "revisionTags={prod,default}", "global.hub=localhost/scrim", "global.imagePullPolicy=Never"],
  [
    "pilot.autoscaleEnabled=true",
    "pilot.env.HTTPS_PROXY=http://proxy:3128",
    "pilot.podLabels.team=mesh",
    "pilot.podLabels.app=mine",
  ],
  ["sidecarInjectorWebhook.enableNamespacesByDefault=true", "networkPolicy.enabled=false", "cni.enabled=true"],
  ["meshConfig.accessLogFormat=<%REQ(:PATH)%> & more", "meshConfig.defaultConfig.concurrency=2"],
  ["pilot.extraArgs={--strict,--quiet}", "global.imagePullSecrets={one,two}", "pilot.nodeSelector.disk=fast"],
  ["pilot.tolerations[0].key=edge", "pilot.tolerations[0].operator=Exists", "global.priorityClassName=high"],
];

const forGateway: readonly (readonly string[])[] = [
  [],
  ["service.type=NodePort", "autoscaling.enabled=false", "replicaCount=3", "service.externalTrafficPolicy=Local"],
  ["revision=canary", "env.LEVEL=high", "imagePullSecrets={one}", "service.annotations.example\\.com/kind=nlb"],
];

describe.skipIf(helm === undefined)(`the charts, by a real Helm${helm === undefined ? " (none here)" : ""}`, () => {
  const names = Object.keys(profiles) as (keyof typeof profiles)[];

  it.each(names)("are the control plane of the CLI, profile %s", async (name) => {
    const remote = name === "remote" ? ["global.remotePilotAddress=192.0.2.1"] : [];
    for (const settings of forControlPlane) {
      for (const namespace of name === "default" ? ["istio-system", "mesh"] : ["istio-system"]) {
        const all = [...remote, ...settings];
        const args = [
          "-f",
          join(charts, `control-plane/profiles/${name}.yaml`),
          ...all.flatMap((one) => ["--set", one]),
        ];
        const expected = ofCli({ profile: name, ...setAll(all) }, namespace, isOfControlPlane);
        expect(byKey(await template("control-plane", namespace, ...args))).toEqual(byKey(expected));
      }
    }
  });

  it.each(names.filter((name) => Object.keys((profiles[name] as Profile).gateways).length > 0))(
    "are the gateway of the CLI, profile %s",
    async (name) => {
      for (const settings of forGateway) {
        const args = [
          "-f",
          join(charts, `gateway/profiles/${name}.yaml`),
          ...settings.flatMap((one) => ["--set", one]),
        ];
        const values = { profile: name, ...setAll(settings, ["gateways", "istio-ingressgateway"]) };
        const expected = ofCli(values, "istio-system", isGateway);
        expect(byKey(await template("gateway", "istio-system", ...args))).toEqual(byKey(expected));
      }
    },
  );

  it("bring the definitions of custom resources", async () => {
    const definitions = ofCli({}, "istio-system", (title) => title.startsWith("Definitions"));
    expect(byKey(await template("base", "istio-system", "--include-crds"))).toEqual(byKey(definitions));
  });

  it("refuse a value that there is not, and one that is not right", async () => {
    const refused = async (setting: string) =>
      (await run(helm ?? "", ["template", "mesh", join(charts, "control-plane"), "--set", setting])).stderr;
    expect(await refused("pilot.replicas=2")).toContain("'replicas' not allowed");
    expect(await refused("revision=Canary")).toContain("/revision");
  });

  it("pass Helm's own check", async () => {
    for (const chart of ["base", "control-plane", "gateway"])
      expect(await run(helm ?? "", ["lint", "--strict", join(charts, chart)])).toMatchObject({ code: 0 });
  });
});
