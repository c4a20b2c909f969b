// A workload for tests that serves gRPC of plain text: any unary method answers with the text it got and the host it
// was called by.
import http2 from "node:http2";

const PREFIX_BYTES = 5;

http2
  .createServer()
  .on("stream", (stream, headers) => {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => {
      const text = Buffer.concat(chunks).subarray(PREFIX_BYTES).toString("utf8");
      const answer = Buffer.from(`${text} at ${headers[":authority"]}`);
      const prefix = Buffer.alloc(PREFIX_BYTES);
      prefix.writeUInt32BE(answer.length, 1);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat([prefix, answer]));
    });
  })
  .listen(Number(process.env.PORT), "127.0.0.1");
