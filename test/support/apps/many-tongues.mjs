// A workload for tests of captured pods, which listens where it declares: HTTP on 80 (says who asked), a greeting on
// 2525 before anybody has said anything, an echo that ends only when its caller has, on 7000, and datagrams on 9999.
import { existsSync } from "node:fs";
import dgram from "node:dgram";
import http from "node:http";
import net from "node:net";

const { POD_NAME } = process.env;
const EVERYWHERE = existsSync("/proc/net/if_inet6") ? "::" : "0.0.0.0";
http
  .createServer((request, response) =>
    response.end(JSON.stringify({ pod: POD_NAME, from: request.socket.remoteAddress.replace("::ffff:", "") })),
  )
  .listen(80, EVERYWHERE);
net.createServer((socket) => socket.on("error", () => {}).end(`220 ${POD_NAME}\n`)).listen(2525, EVERYWHERE);
net
  .createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => {}).pipe(socket))
  .listen(7000, EVERYWHERE);
dgram
  .createSocket("udp4")
  .on("message", function (message, from) {
    this.send(`${message} from ${from.address}`, from.port, from.address);
  })
  .bind(9999, "0.0.0.0");
