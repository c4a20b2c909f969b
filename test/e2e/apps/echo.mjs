// A workload for tests: answers every request with what it saw, as JSON. Paths: /status/<code>, /delay/<ms>, anything else.
import http from "node:http";

const { PORT, POD_NAME, VERSION = "", SERVICE_ACCOUNT } = process.env;
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const [, word, argument] = request.url.split("?")[0].split("/");
    const answer = () => {
      response.writeHead(word === "status" ? Number(argument) : 200, { "content-type": "application/json", "x-pod": POD_NAME, "x-version": VERSION });
      response.end(
        JSON.stringify({
          pod: POD_NAME,
          version: VERSION,
          serviceAccount: SERVICE_ACCOUNT,
          method: request.method,
          path: request.url,
          headers: request.headers,
          rawHeaders: request.rawHeaders,
          body: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    };
    setTimeout(answer, word === "delay" ? Number(argument) : 0);
  });
});
// A websocket without frames: what comes is sent back as it came.
server.on("upgrade", (request, socket) => {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-version: ${VERSION}\r\nx-path: ${request.url}\r\n\r\n`);
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => socket.destroy());
});
server.keepAliveTimeout = 75_000;
server.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
