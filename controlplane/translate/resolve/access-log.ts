// Where and how a mesh's proxies write their access logs.
import type { MeshConfig } from "../../store/world.ts";
import type { AccessLog } from "../ir/proxy.ts";

/** Returns the access log that MeshConfig asks for; undefined when its file name is empty. */
export function resolveAccessLog(mesh: MeshConfig): AccessLog | undefined {
  if (mesh.accessLogFile === "") return undefined;
  return { path: mesh.accessLogFile, encoding: mesh.accessLogEncoding, ...(mesh.accessLogFormat !== "" && { format: mesh.accessLogFormat }) };
}
