// For tests of this folder: documents, and what is wrong between them.
import { expect } from "vitest";
import type { Origin } from "../model/origin.ts";
import { loadText } from "../store/load.ts";
import { analyzeWorld } from "./analyze-world.ts";

/** Returns what analyzeWorld says of a text without faults of its own: line, severity, object, field and message. */
export function analyze(text: string): readonly string[] {
  const { world, violations } = loadText(text);
  expect(violations).toEqual([]);
  return analyzeWorld(world).map(
    ({ origin, object, field, message, severity }) => `${lineOf(origin)} ${severity} ${object} ${field}: ${message}`,
  );
}

const lineOf = (origin: Origin) => (origin.kind === "file" ? origin.line : undefined);

export const service = (name: string, spec: string) =>
  `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: ${name}}, spec: ${spec}}\n`;

export const object = (kind: string, apiVersion: string, name: string, spec: string, more = "") =>
  `{apiVersion: ${apiVersion}, kind: ${kind}, metadata: {name: ${name}${more}}, spec: ${spec}}\n`;
export const networking = (kind: string, name: string, spec: string, more = "") =>
  object(kind, "networking.istio.io/v1", name, spec, more);
export const security = (kind: string, name: string, spec: string, more = "") =>
  object(kind, "security.istio.io/v1", name, spec, more);
export const declared = (name: string, port = 80, targetPort = 8080) =>
  object(
    "Service",
    "v1",
    name,
    `{selector: {app: ${name}}, ports: [{name: http, port: ${port}, targetPort: ${targetPort}}]}`,
  );
export const deployed = (app: string) =>
  object(
    "Deployment",
    "apps/v1",
    app,
    `{template: {metadata: {labels: {app: ${app}}}, spec: {containers: [{ports: [{containerPort: 8080}]}]}}}`,
  );
export const mesh = (...objects: readonly string[]) => objects.join("---\n");
/** Returns what analyzeWorld says of these documents, without line and severity. */
export const said = (...objects: readonly string[]) =>
  analyze(mesh(...objects)).map((line) => line.replace(/^\d+ warning /, ""));
