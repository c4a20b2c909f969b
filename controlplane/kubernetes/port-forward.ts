// Connections to ports of a pod's own loopback, over a WebSocket to the API server
// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/, portforward): what `kubectl port-forward` does.
import { Duplex } from "node:stream";
import WebSocket from "ws";
import { type Failure, failed } from "../model/failure.ts";
import type { Access, Credentials } from "./credentials.ts";
import { resourcePath } from "./resource-path.ts";

/** A port of a pod. */
export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

export interface Forwarded {
  readonly kind: "forwarded";
  readonly connection: Duplex;
}

const PROTOCOL = "v4.channel.k8s.io";
/** The first byte of each message; the first message of either channel only repeats the port. */
const DATA = 0;
const ERRORS = 1;
const PATIENCE_MS = 15_000;

/** Resolves to an open connection; a failure where the API server does not give one. */
export async function forwardTo(access: Access, target: PodPort): Promise<Forwarded | Failure<"unreachable">> {
  const credentials = await access.credentials();
  if (credentials.kind === "failed") return failed("unreachable", credentials.message);
  const socket = new WebSocket(urlOf(credentials, target), PROTOCOL, {
    ...credentials.tls,
    ...(credentials.proxyAgent !== undefined && { agent: credentials.proxyAgent }),
    headers: { ...credentials.headers },
    handshakeTimeout: PATIENCE_MS,
    perMessageDeflate: false,
  });
  return new Promise((resolve) => {
    const refuse = (why: string) =>
      resolve(failed("unreachable", `${target.namespace}/${target.pod} cannot be reached: ${why}`));
    socket.once("open", () => resolve({ kind: "forwarded", connection: connectionOver(socket) }));
    socket.once("error", (error) => refuse(error.message));
    socket.once("unexpected-response", (request, response) => {
      refuse(`${credentials.server} answered ${response.statusCode}`);
      request.destroy();
    });
  });
}

function urlOf({ server }: Credentials, { namespace, pod, port }: PodPort): string {
  const path = resourcePath({
    ...{ group: "", version: "v1", plural: "pods", namespace, name: pod, subresource: "portforward" },
  });
  return `${server.replace(/^http/, "ws").replace(/\/$/, "")}${path}?ports=${port}`;
}

function connectionOver(socket: WebSocket): Duplex {
  const begun = new Set<number>();
  const connection = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => socket.send(Buffer.concat([Buffer.of(DATA), chunk]), done),
    final: (done) => done(),
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on("message", (data: Buffer) => {
    const [channel = DATA] = data;
    if (!begun.has(channel)) return begun.add(channel);
    if (channel === ERRORS) return connection.destroy(new Error(data.subarray(1).toString("utf8").trim()));
    if (!connection.push(data.subarray(1))) socket.pause();
    return undefined;
  });
  socket.on("close", () => connection.push(null));
  socket.on("error", (error) => connection.destroy(error));
  return connection;
}
