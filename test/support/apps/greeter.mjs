// A workload for tests in whose protocol the server speaks first, as in SMTP: a greeting, then an answer to each line.
import net from "node:net";

net
  .createServer((socket) => {
    socket.write("220 greeter ready\r\n");
    let waiting = "";
    socket.on("data", (chunk) => {
      const lines = (waiting + chunk).split("\r\n");
      waiting = lines.pop();
      for (const line of lines) {
        if (line === "QUIT") return socket.end("221 bye\r\n");
        socket.write(line.startsWith("HELO ") ? `250 hello ${line.slice(5)}\r\n` : "500 what?\r\n");
      }
    });
    socket.on("error", () => socket.destroy());
  })
  .listen(Number(process.env.PORT), "127.0.0.1");
