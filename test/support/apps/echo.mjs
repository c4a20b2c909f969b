// A workload for tests: answers every request with what it saw, as JSON. Paths: /status/<code>, /delay/<ms>,
// /fail/<times>/<key> (503 so many times), /only/<version>/<code> (the code from that version alone), /seen/<text> (how
// many requests' paths held the text), anything else.
import http from "node:http";

const { PORT, LISTEN_ADDRESS = "127.0.0.1", POD_NAME, VERSION = "", SERVICE_ACCOUNT } = process.env;
const seen = [];
const failures = new Map();

function statusOf(word, argument, more) {
  if (word === "status") return Number(argument);
  if (word === "only") return argument === VERSION ? Number(more) : 200;
  if (word !== "fail") return 200;
  failures.set(more, (failures.get(more) ?? 0) + 1);
  return failures.get(more) <= Number(argument) ? 503 : 200;
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const [, word, argument, more] = request.url.split("?")[0].split("/");
    if (word === "seen") return response.end(String(seen.filter((path) => path.includes(argument)).length));
    seen.push(`${request.headers.host}${request.url}`);
    const answer = () => {
      response.writeHead(statusOf(word, argument, more), {
        "content-type": "application/json",
        "x-pod": POD_NAME,
        "x-version": VERSION,
      });
      response.end(
        JSON.stringify({
          pod: POD_NAME,
          version: VERSION,
          serviceAccount: SERVICE_ACCOUNT,
          method: request.method,
          path: request.url,
          headers: request.headers,
          rawHeaders: request.rawHeaders,
          attempt: failures.get(more),
          body: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    };
    setTimeout(answer, word === "delay" ? Number(argument) : 0);
  });
});
// A websocket without frames: what comes is sent back as it came.
server.on("upgrade", (request, socket) => {
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
      `x-version: ${VERSION}\r\nx-path: ${request.url}\r\n\r\n`,
  );
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => socket.destroy());
});
server.keepAliveTimeout = 75_000;
server.listen(Number(PORT), LISTEN_ADDRESS);
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
