// What the API server for tests answers.
import type { IncomingMessage, ServerResponse } from "node:http";
import { resourceKey, type StoredEvent, type StoredObject, type TestResources } from "./testing-resources.ts";

/** What goes wrong; changed while the server runs. */
export interface ServerFaults {
  /** Undefined: nothing. `hang`: no word; `cut`: the connection ends; else this is the answer. */
  answer?: (call: string) => Fault | undefined;
  /** A list or a watch of these resources is forbidden. */
  forbidden?: ReadonlySet<string>;
  /** False: as an API server without the feature. */
  watchList?: boolean;
  /** Milliseconds between bookmarks; none unless given. */
  bookmarksMs?: number;
}

export type Fault =
  | "hang"
  | "cut"
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown };

interface Answering {
  readonly stored: TestResources;
  readonly faults: ServerFaults;
  readonly watches: Set<ServerResponse>;
  readonly isKnown: boolean;
}

interface Target {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

const snapshots = new Map<string, readonly StoredObject[]>();

export async function answerCall(request: IncomingMessage, response: ServerResponse, how: Answering): Promise<void> {
  const { stored, faults } = how;
  const fault = faults.answer?.(`${request.method} ${request.url}`);
  if (fault === "hang") return;
  if (fault === "cut") return void request.socket.destroy();
  if (fault !== undefined) return send(response, fault.status, fault.body ?? {}, fault.headers);
  if (!how.isKnown) return refuse(response, 401, "Unauthorized", "Unauthorized");
  const url = new URL(request.url ?? "/", "https://server");
  if (sendDiscovery(url.pathname, response, stored)) return;
  const target = targetOf(url.pathname);
  if (!target || !stored.has(target.resource))
    return refuse(response, 404, "NotFound", "the server could not find the requested resource");
  if (faults.forbidden?.has(target.resource))
    return refuse(response, 403, "Forbidden", `${target.resource} is forbidden: User "me" cannot list it`);
  if (request.method !== "GET") return write(request, response, target, stored);
  if (url.searchParams.get("watch") === "true") return watch(url, response, target, how);
  if (target.name !== undefined) return sendOne(response, target, stored);
  return list(url, response, target, stored);
}

function targetOf(path: string): Target | undefined {
  const [, root, ...rest] = path.split("/").map(decodeURIComponent);
  const [group, version, ...parts] = root === "api" ? ["", ...rest] : rest;
  if ((root !== "api" && root !== "apis") || version === undefined) return undefined;
  const [namespace, plural, name] =
    parts[0] === "namespaces" && parts.length > 2 ? [parts[1], parts[2], parts[3]] : [undefined, parts[0], parts[1]];
  if (plural === undefined) return undefined;
  const key = namespace === undefined || name === undefined ? name : `${namespace}/${name}`;
  return { resource: resourceKey({ group: group ?? "", version, plural }), namespace, name: key };
}

function sendDiscovery(path: string, response: ServerResponse, stored: TestResources): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  const all = stored.resources();
  if (path === "/apis") {
    const groups = [...new Set(all.map(({ group }) => group))].filter((group) => group !== "");
    send(response, 200, {
      kind: "APIGroupList",
      groups: groups.map((name) => ({
        name,
        versions: all
          .filter(({ group }) => group === name)
          .map(({ version }) => ({ version, groupVersion: `${name}/${version}` })),
      })),
    });
    return true;
  }
  const [group, version] = parts[0] === "api" ? ["", parts[1]] : [parts[1] ?? "", parts[2]];
  if (version === undefined || parts.length !== (parts[0] === "api" ? 2 : 3)) return false;
  const resources = all.filter((one) => one.group === group && one.version === version);
  if (resources.length === 0) return false;
  send(response, 200, {
    kind: "APIResourceList",
    resources: resources.map(({ plural, kind, namespaced }) => ({ name: plural, kind, namespaced })),
  });
  return true;
}

function isIn({ namespace }: Target, object: StoredObject): boolean {
  return namespace === undefined || object.metadata.namespace === namespace;
}

/** Of field selectors only metadata.name. */
function selector(url: URL): (object: StoredObject) => boolean {
  const name = /^metadata\.name=(.*)$/.exec(url.searchParams.get("fieldSelector") ?? "")?.[1];
  return (object) => name === undefined || object.metadata.name === name;
}

function list(url: URL, response: ServerResponse, target: Target, stored: TestResources): void {
  const limit = Number(url.searchParams.get("limit") ?? 0) || Infinity;
  const token = url.searchParams.get("continue");
  const isSelected = selector(url);
  const kept = token === null ? undefined : snapshots.get(token);
  const version = token === null ? stored.version() : Number(token.split(":")[1]);
  if (token !== null && (kept === undefined || stored.since(target.resource, version) === undefined))
    return refuse(response, 410, "Expired", "The provided continue parameter is too old");
  const items = kept ?? stored.list(target.resource).filter((object) => isIn(target, object) && isSelected(object));
  const rest = items.slice(limit);
  const next = rest.length === 0 ? undefined : `${target.resource}:${version}:${rest.length}:${Math.random()}`;
  if (next !== undefined) snapshots.set(next, rest);
  const metadata = { resourceVersion: String(version), ...(next !== undefined && { continue: next }) };
  // Items of a list say neither apiVersion nor kind.
  const shown = items.slice(0, limit).map(({ apiVersion: _apiVersion, kind: _kind, ...object }) => object);
  send(response, 200, { kind: "List", apiVersion: "v1", metadata, items: shown });
}

function watch(url: URL, response: ServerResponse, target: Target, { stored, faults, watches }: Answering): void {
  const isInitial = url.searchParams.get("sendInitialEvents") === "true";
  if (isInitial && faults.watchList === false)
    return refuse(response, 422, "Invalid", "sendInitialEvents: Forbidden: the WatchList feature gate is not enabled");
  const isSelected = selector(url);
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const say = (type: string, object: unknown) =>
    response.writableEnded || response.write(`${JSON.stringify({ type, object })}\n`);
  const mark = (annotations?: object) =>
    say("BOOKMARK", {
      kind: "Bookmark",
      metadata: { resourceVersion: String(stored.version()), ...(annotations && { annotations }) },
    });
  const tell = ({ resource, type, object }: StoredEvent) => {
    if (resource === target.resource && isIn(target, object) && isSelected(object)) say(type, object);
  };
  if (isInitial) {
    for (const object of stored.list(target.resource))
      if (isIn(target, object) && isSelected(object)) say("ADDED", object);
    mark({ "k8s.io/initial-events-end": "true" });
  } else {
    const missed = stored.since(target.resource, Number(url.searchParams.get("resourceVersion") ?? 0));
    if (missed === undefined) {
      say("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" });
      return void response.end();
    }
    missed.forEach(tell);
  }
  watches.add(response);
  const end = stored.follow(tell);
  const timer = faults.bookmarksMs === undefined ? undefined : setInterval(mark, faults.bookmarksMs);
  response.on("close", () => {
    clearInterval(timer);
    watches.delete(response);
    end();
  });
}

function sendOne(response: ServerResponse, { resource, name = "" }: Target, stored: TestResources): void {
  const object = stored.get(resource, name);
  if (object === undefined) return refuse(response, 404, "NotFound", `${name} not found`);
  send(response, 200, object);
}

async function write(
  request: IncomingMessage,
  response: ServerResponse,
  { resource, name, namespace }: Target,
  stored: TestResources,
): Promise<void> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  const sent = text === "" ? undefined : (JSON.parse(text) as StoredObject);
  const key = name ?? (namespace === undefined ? "" : `${namespace}/`) + (sent?.metadata.name ?? "");
  const before = stored.get(resource, key);
  if (request.method === "POST" && before) return refuse(response, 409, "AlreadyExists", `"${key}" already exists`);
  if (request.method === "POST") return send(response, 201, stored.put(inNamespace(sent!, namespace)));
  if (request.method === "PATCH" && request.headers["content-type"] === "application/apply-patch+yaml")
    return send(response, before ? 200 : 201, stored.put(inNamespace(merge(before ?? {}, sent!), namespace)));
  if (before === undefined) return refuse(response, 404, "NotFound", `"${key}" not found`);
  if (request.method === "DELETE") return send(response, 200, stored.remove(resource, key));
  const { resourceVersion = before.metadata.resourceVersion } = sent?.metadata ?? {};
  if (resourceVersion !== before.metadata.resourceVersion)
    return refuse(response, 409, "Conflict", "the object has been modified");
  send(response, 200, stored.put(request.method === "PATCH" ? merge(before, sent!) : sent!));
}

function inNamespace(object: StoredObject, namespace: string | undefined): StoredObject {
  return namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } };
}

/** As a merge patch does (RFC 7396). */
function merge(target: unknown, patch: unknown): StoredObject {
  if (!isObject(patch)) return patch as StoredObject;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete merged[name];
    else merged[name] = merge(merged[name], value);
  return merged as unknown as StoredObject;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(response: ServerResponse, status: number, reason: string, message: string): void {
  send(response, status, { kind: "Status", apiVersion: "v1", status: "Failure", reason, message, code: status });
}

function send(response: ServerResponse, status: number, body: unknown, headers: object = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
