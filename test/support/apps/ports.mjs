// A server of many tongues, by port (JSON in argv: { PORT: "http" | "echo" | "greeting" | "tls" }), all on the wildcard.
// http answers with what it saw, echo with what came, greeting speaks first, tls greets inside TLS of its own.
import http from "node:http";
import net from "node:net";
import tls from "node:tls";
import { readFileSync } from "node:fs";

const [ports, certificate] = [JSON.parse(process.argv[2]), process.argv[3]];
const from = (socket) => socket.remoteAddress.replace("::ffff:", "");
const kinds = {
  http: () =>
    http.createServer((request, response) =>
      response.end(JSON.stringify({ path: request.url, headers: request.headers, from: from(request.socket) })),
    ),
  echo: () =>
    net.createServer((socket) => socket.on("error", () => {}).on("data", (data) => socket.write(`echo ${data}`))),
  greeting: () => net.createServer((socket) => socket.on("error", () => {}).write(`220 hello ${from(socket)}\n`)),
  tls: () =>
    tls.createServer({ cert: readFileSync(`${certificate}.crt`), key: readFileSync(`${certificate}.key`) }, (socket) =>
      socket.on("error", () => {}).write(`own TLS ${socket.alpnProtocol}\n`),
    ),
};
await Promise.all(
  Object.entries(ports).map(
    ([port, kind]) => new Promise((resolve) => void kinds[kind]().listen(Number(port), "::", resolve)),
  ),
);
console.log("up");
