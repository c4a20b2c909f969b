import { expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import type { Rejection } from "../xds/status/type-status.ts";
import { createCell } from "../stages/cell.ts";
import type { Reach } from "../xds/reach.ts";
import { namedCredentials } from "./named-credentials.ts";
import { createRefusedFilesStage, type FileOffers, refusedFiles } from "./refused-files.ts";

const gateway = (name: string, tls: string) =>
  `{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: ${name}}, spec: {selector: {a: b}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [${name}.com], tls: ${tls}}]}}\n`;
const rejection = (...resources: readonly string[]): Rejection => ({
  ...{ type: "sds", resources, message: "unable to watch /gone/: No such file\nand more", atMs: 1, blame: "proxy" },
});
const said = (...rejections: readonly Rejection[]) =>
  refusedFiles(
    loadText(
      [
        gateway("a", "{mode: SIMPLE, serverCertificate: /gone/c.pem, privateKey: /gone/k.pem}"),
        gateway("b", "{mode: MUTUAL, serverCertificate: /c.pem, privateKey: /k.pem, caCertificates: /gone/ca.pem}"),
        gateway("c", "{mode: SIMPLE, credentialName: shop}"),
      ].join("---\n"),
    ).world,
    [{ pod: "gateway-0", namespace: "edge", rejections }],
  ).map(({ severity, object, field, message }) => `${severity} ${object} ${field}: ${message}`);

it("tells the Gateways whose files their proxy refuses, of certificates and of authorities", () => {
  const why = "gateway-0.edge refuses its files: unable to watch /gone/: No such file: this server stays closed";
  expect(said(rejection("file-cert:/gone/c.pem~/gone/k.pem"))).toEqual([
    `error Gateway/default/a spec.servers[0].tls: ${why}`,
  ]);
  expect(said(rejection("file-root:/gone/ca.pem"))).toEqual([`error Gateway/default/b spec.servers[0].tls: ${why}`]);
  expect(said(rejection("default"), { ...rejection("file-cert:/c.pem~/k.pem"), type: "cds" })).toEqual([]);
});

it("offers the files that a proxy refuses anew, and tells of them the same way each time", async () => {
  const { world } = loadText(gateway("a", "{mode: SIMPLE, serverCertificate: /gone/c.pem, privateKey: /gone/k.pem}"));
  const name = "file-cert:/gone/c.pem~/gone/k.pem";
  const offers = createCell<FileOffers>(new Map());
  const folders: (string | undefined)[] = [];
  const status = () => {
    const folder = namedCredentials(world, "edge", [name], offers.read()).get(name)?.tlsCertificate?.watchedDirectory;
    folders.push(folder?.path);
    const message = `unable to watch ${folder?.path}/: No such file`;
    return [{ pod: "gateway-0", namespace: "edge", rejections: [{ ...rejection(name), message }] }];
  };
  let looks = 0;
  const end = new AbortController();
  const stage = createRefusedFilesStage({
    world: createCell(world),
    reach: createCell({ status } as unknown as Pick<Reach, "status">),
    clock: { sleep: async () => (++looks > 20 ? end.abort() : undefined) },
  });
  stage.offers.subscribe(offers.set);
  const told: number[] = [];
  stage.violations.subscribe((violations) => told.push(violations.length));
  await stage.start?.(end.signal);
  await new Promise((resolve) => end.signal.addEventListener("abort", resolve));
  expect([...new Set(folders)]).toEqual(["/gone", "/gone/."]);
  expect(told).toEqual([1]);
});
