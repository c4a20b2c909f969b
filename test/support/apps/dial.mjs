// Opens one connection as it is told (JSON in argv), says what it is to say, and prints what became of it, as JSON.
// { host, port, send?, tls?: { cert?, key?, alpn? }, until?: text after which it ends, patienceMs?,
//   later?: { file: when it is there, send } }
import { existsSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

const { host, port, send = "", tls: secure, until, patienceMs = 8_000, later } = JSON.parse(process.argv[2]);
let received = "";
let end = "closed";
const socket = secure
  ? tls.connect({
      ...{ host, port, cert: secure.cert, key: secure.key, ALPNProtocols: secure.alpn },
      rejectUnauthorized: false,
    })
  : net.connect({ host, port });
let peer = "";
const done = () => {
  process.stdout.write(JSON.stringify({ received, end, peer }), () => process.exit());
};
const patience = setTimeout(() => ((end = "waiting"), done()), patienceMs);
const gate = later && setInterval(() => existsSync(later.file) && (clearInterval(gate), socket.write(later.send)), 50);
socket.on(secure ? "secureConnect" : "connect", () => {
  peer = secure ? (socket.getPeerCertificate().subjectaltname ?? "") : "";
  if (send !== "") socket.write(send);
});
socket.on("data", (data) => {
  received += data;
  if (until !== undefined && received.includes(until)) (end = "enough"), done();
});
socket.on("error", ({ code, message }) => (end = code ?? message));
socket.on("close", () => (clearTimeout(patience), done()));
