// consumes: HTTP/1.1 requests without bodies
// produces: one and the same answer
// never does: look at them: what it costs is to be as little as can be
import { createServer } from "node:net";

const END_OF_HEADERS = "\r\n\r\n";
const ANSWER = Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok");
const PORT = Number(process.argv[2]);

createServer({ noDelay: true }, (socket) => {
  let rest = "";
  socket.on("error", () => undefined);
  socket.on("data", (bytes) => {
    const requests = (rest + bytes.toString("latin1")).split(END_OF_HEADERS);
    rest = requests.pop() ?? "";
    for (const _ of requests) socket.write(ANSWER);
  });
}).listen(PORT, "::", () => process.stdout.write("up\n"));
