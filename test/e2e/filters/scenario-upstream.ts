// What stands behind Envoy in scenarios: an HTTP/1.1 upstream that answers as the exchange says, and a cluster for each
// callout.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  createServer as createHttp2,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { type CalloutAnswer, type Exchange, headerPairs, type Observation, type SeenCallout } from "proxy-wasm-host";

const bytes = (value: string | Uint8Array): Buffer =>
  typeof value === "string" ? Buffer.from(value, "latin1") : Buffer.from(value);
const GAP_MS = 30;

async function listen(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** The upstream of every scenario; one exchange at a time. */
export class ScenarioUpstream {
  /** What it answers now. */
  exchange: Exchange | undefined;
  /** What it saw since the exchange began. */
  seen: Observation["upstream"];
  readonly #server = createServer((request, response) => this.#serve(request, response));

  /** Resolves to its port. */
  start(): Promise<number> {
    return listen(this.#server);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = [];
    request
      .on("error", () => {})
      .on("data", (part: Buffer) => parts.push(part))
      .on("end", () => {
        const raw = request.rawHeaders;
        const pairs = Array.from(
          { length: raw.length / 2 },
          (_, i) => [(raw[2 * i] ?? "").toLowerCase(), raw[2 * i + 1] ?? ""] as const,
        );
        const named = pairs.map(([name, value]) => [name === "host" ? ":authority" : name, value] as const);
        this.seen = {
          headers: [[":method", request.method ?? ""], [":path", request.url ?? ""], ...named],
          body: Buffer.concat(parts).toString("latin1"),
        };
        void this.#answer(response);
      });
  }

  async #answer(response: ServerResponse): Promise<void> {
    const { status = 200, headers = {}, body } = this.exchange?.upstream ?? {};
    const pieces =
      body === undefined
        ? []
        : Array.isArray(body)
          ? body.map((piece: string | Uint8Array) => bytes(piece))
          : [bytes(body as string | Uint8Array)];
    const framing = pieces.length > 1 ? [] : ["content-length", String(pieces[0]?.length ?? 0)];
    response.sendDate = false;
    response.removeHeader("connection");
    response.writeHead(status, [
      ...framing,
      ...headerPairs(headers).flatMap(([name, value]) => [name, Buffer.from(value).toString("latin1")]),
    ]);
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, GAP_MS));
      response.write(piece);
    }
    response.end();
  }
}

/** One cluster that callouts may name: HTTP/2 without TLS, HTTP and unary gRPC. */
export class CalloutCluster {
  readonly #server = createHttp2();
  readonly #sessions = new Set<{ destroy(): void }>();
  readonly #answer: () => CalloutAnswer | undefined;
  readonly #seen: (call: SeenCallout) => void;
  readonly #name: string;

  constructor(name: string, answer: () => CalloutAnswer | undefined, seen: (call: SeenCallout) => void) {
    this.#name = name;
    this.#answer = answer;
    this.#seen = seen;
  }

  /** Resolves to its port. */
  start(): Promise<number> {
    this.#server.on("session", (session) => this.#sessions.add(session));
    this.#server.on(
      "stream",
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
        const parts: Buffer[] = [];
        stream
          .on("error", () => {})
          .on("data", (part: Buffer) => parts.push(part))
          .on("end", () => {
            const isGrpc = String(headers["content-type"] ?? "").startsWith("application/grpc");
            const pairs = Array.from(
              { length: rawHeaders.length / 2 },
              (_, i) => [rawHeaders[2 * i] ?? "", rawHeaders[2 * i + 1] ?? ""] as const,
            );
            const body = Buffer.concat(parts);
            this.#seen({
              cluster: this.#name,
              headers: pairs,
              body: (isGrpc ? body.subarray(5) : body).toString("latin1"),
            });
            reply(stream, this.#answer());
          });
      },
    );
    return listen(this.#server);
  }

  stop(): void {
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
  }
}

function reply(stream: ServerHttp2Stream, answer: CalloutAnswer | undefined): void {
  if (!answer) return void stream.respond({ ":status": 503 }, { endStream: true });
  if ("status" in answer) {
    const headers = Object.fromEntries(
      headerPairs(answer.headers ?? {}).map(([name, value]) => [name, Buffer.from(value).toString("latin1")]),
    );
    stream.respond({ ":status": answer.status, ...headers });
    return void stream.end(bytes(answer.body ?? ""));
  }
  const trailers =
    "grpcStatus" in answer
      ? {
          "grpc-status": String(answer.grpcStatus),
          ...(answer.grpcText !== undefined && { "grpc-message": answer.grpcText }),
        }
      : { "grpc-status": "0" };
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  if ("grpcStatus" in answer) return void stream.end();
  const message = bytes(answer.grpcMessage);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([frame, message]));
}
