// A gRPC application without a proxy: it finds its server by xDS, with a client that is not ours. Each line on standard
// input is one call; its answer is a line of output.
import { createInterface } from "node:readline";
import { Client, credentials } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";

register();
const asItIs = (bytes) => bytes;
const client = new Client(process.argv[2], credentials.createInsecure());
createInterface({ input: process.stdin })
  .on("line", (line) => {
    client.makeUnaryRequest(
      "/test.Echo/Say",
      asItIs,
      asItIs,
      Buffer.from(line),
      { deadline: Date.now() + 5_000 },
      (error, answer) =>
        process.stdout.write(`${error ? `error ${error.code}: ${error.details}` : answer.toString()}\n`),
    );
  })
  .on("close", () => process.exit(0));
