// Leads connections to a Unix socket (SOCKET) to the address that their first line names, as in `10.91.0.1:443`: so a
// test outside the cluster's network reaches what is in it. Ends with its standard input.
import { connect, createServer } from "node:net";

const ADDRESS_BYTES = 256;

createServer((client) => {
  client.on("error", () => client.destroy());
  client.once("readable", () => {
    const head = client.read();
    if (head === null) return client.destroy();
    const end = head.subarray(0, ADDRESS_BYTES).indexOf("\n");
    const [host, port] = head.subarray(0, Math.max(0, end)).toString().split(":");
    if (!host || !port) return client.destroy();
    const server = connect({ host, port: Number(port) });
    server.on("error", () => client.destroy());
    server.on("close", () => client.destroy());
    client.on("close", () => server.destroy());
    server.write(head.subarray(end + 1));
    client.pipe(server).pipe(client);
  });
}).listen(process.argv[2], () => console.log("listening"));

process.stdin.on("end", () => process.exit()).resume();
