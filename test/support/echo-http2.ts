import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";

const grpcFrame = (message: string): Buffer => {
  const body = Buffer.from(message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
};

/** The messages in a gRPC body, as text. */
function grpcMessages(body: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    messages.push(body.subarray(at + 5, end).toString());
    at = end;
  }
  return messages;
}

function answerGrpc(stream: ServerHttp2Stream, method: string, body: Buffer): void {
  if (method === "Silent") return;
  const status =
    method === "Missing"
      ? { "grpc-status": "5", "grpc-message": "no such method" }
      : { "grpc-status": "0", "x-last": "z" };
  stream.on("wantTrailers", () => stream.sendTrailers(status));
  stream.respond({ ":status": 200, "content-type": "application/grpc", "x-first": "a" }, { waitForTrailers: true });
  stream.end(
    method === "Missing"
      ? undefined
      : Buffer.concat(grpcMessages(body).map((message) => grpcFrame(message.toUpperCase()))),
  );
}

/** 200 for alice, else 403. */
function answerAuthorize(stream: ServerHttp2Stream, user: string): void {
  stream.respond({ ":status": user === "alice" ? 200 : 403 }, { endStream: true });
}

function answerTrailers(stream: ServerHttp2Stream, seen: string, got: string): void {
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-last": "from upstream", "x-request": seen }));
  stream.respond({ ":status": 200, "x-got": got }, { waitForTrailers: true });
  stream.end("answer 42");
}

/**
 * An HTTP/2 server without TLS: gRPC methods `test.Echo/{Unary,Missing,Silent,Chat}`, `/authorize`; elsewhere it
 * answers "answer 42" with the request's x-answer as x-got, and with trailers that name the request's.
 */
export function startEchoHttp2(): Promise<{ readonly port: number; stop(): void }> {
  const server: Http2Server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    const parts: Buffer[] = [];
    let trailers = "";
    stream.on("error", () => {});
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("trailers", (given: Record<string, unknown>) => {
      trailers = String(given["x-seen-request-trailers"]);
    });
    stream.on("end", () => {
      const method = /^\/test\.Echo\/(\w+)$/.exec(String(headers[":path"]))?.[1];
      if (headers[":path"] === "/authorize") answerAuthorize(stream, String(headers["x-user"]));
      else if (method === undefined) answerTrailers(stream, trailers, String(headers["x-answer"]));
      else answerGrpc(stream, method, Buffer.concat(parts));
    });
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address ? address.port : 0,
        stop: () => {
          for (const session of sessions) session.destroy();
          server.close();
        },
      });
    }),
  );
}
