// A workload for tests that speaks several protocols, each on its own port: HTTP/1.1 (echo.mjs), cleartext HTTP/2,
// gRPC, and a TCP server that speaks first.
import http2 from "node:http2";
import net from "node:net";
import grpc from "@grpc/grpc-js";
import { echo } from "./grpc-echo.mjs";
import "./echo.mjs";

const { PORT_HTTP2, PORT_GRPC, PORT_TCP, POD_NAME, VERSION = "" } = process.env;

http2
  .createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      response.writeHead(200, { "x-pod": POD_NAME, "x-version": VERSION });
      response.end(
        JSON.stringify({
          httpVersion: request.httpVersion,
          path: request.url,
          authority: request.authority,
          version: VERSION,
          body: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
  })
  .listen(Number(PORT_HTTP2), "127.0.0.1");

net
  .createServer((socket) => {
    socket.write(`hello from ${POD_NAME}\n`);
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => socket.end());
    socket.on("error", () => socket.destroy());
  })
  .listen(Number(PORT_TCP), "127.0.0.1");

const failures = new Map();
const server = new grpc.Server();
server.addService(echo, {
  unary(call, done) {
    // `fail-times: n` with a key of the caller's: so many calls fail before one succeeds.
    const [key] = call.metadata.get("fail-key");
    const seen = failures.get(key) ?? 0;
    failures.set(key, seen + 1);
    if (key !== undefined && seen < Number(call.metadata.get("fail-times")[0]))
      return done({ code: grpc.status.UNAVAILABLE, details: "not yet" });
    done(null, { text: call.request.text, authority: call.getHost(), version: VERSION, attempt: seen + 1 });
  },
  broken: (_call, done) => done({ code: grpc.status.FAILED_PRECONDITION, details: "as asked" }),
  chat(call) {
    call.on("data", (message) => call.write({ text: `re: ${message.text}`, version: VERSION }));
    call.on("end", () => call.end());
  },
});
server.bindAsync(`127.0.0.1:${PORT_GRPC}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
