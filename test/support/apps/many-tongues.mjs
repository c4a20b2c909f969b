// A workload for tests of captured pods, which listens where it declares: HTTP on 80 (says who asked; an upgrade to
// websocket gets its own bytes back), a greeting on 2525 before anybody has said anything, an echo that ends only when
// its caller has, on 7000, gRPC on 9000, and datagrams on 9999.
import { existsSync } from "node:fs";
import dgram from "node:dgram";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";

const { POD_NAME } = process.env;
const EVERYWHERE = existsSync("/proc/net/if_inet6") ? "::" : "0.0.0.0";
http
  .createServer((request, response) =>
    response.end(
      JSON.stringify({
        pod: POD_NAME,
        from: request.socket.remoteAddress.replace("::ffff:", ""),
        version: request.httpVersion,
      }),
    ),
  )
  .on("upgrade", (_request, socket) => {
    socket
      .on("error", () => {})
      .write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    socket.pipe(socket);
  })
  .listen(80, EVERYWHERE);
net.createServer((socket) => socket.on("error", () => {}).end(`220 ${POD_NAME}\n`)).listen(2525, EVERYWHERE);
net
  .createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => {}).pipe(socket))
  .listen(7000, EVERYWHERE);
http2
  .createServer()
  .on("stream", (stream) => {
    const answer = Buffer.from(`hello from ${POD_NAME}`);
    stream.on("error", () => {}).resume();
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, answer.length]), answer]));
  })
  .listen(9000, EVERYWHERE);
dgram
  .createSocket("udp4")
  .on("message", function (message, from) {
    this.send(`${message} from ${from.address}`, from.port, from.address);
  })
  .bind(9999, "0.0.0.0");
