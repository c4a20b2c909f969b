// A workload for tests that calls gRPC services from its pod when asked by HTTP:
// /?target=greeter:9000&method=unary|broken|chat[&direct=1][&<name>=<value> as metadata]. By default as any grpc-js
// program would, by http_proxy (CONNECT); `direct`: HTTP/2 spoken with the proxy itself.
import http from "node:http";
import grpc from "@grpc/grpc-js";
import { echo } from "./grpc-echo.mjs";

const { PORT, http_proxy: proxy } = process.env;
const Echo = grpc.makeGenericClientConstructor(echo, "Echo");

function clientOf(target, direct) {
  if (!direct) return new Echo(target, grpc.credentials.createInsecure());
  return new Echo(new URL(proxy).host, grpc.credentials.createInsecure(), {
    "grpc.default_authority": target,
    "grpc.enable_http_proxy": 0,
  });
}

function call(client, method, metadata) {
  const options = { deadline: Date.now() + 15_000 };
  return new Promise((resolve) => {
    if (method !== "chat") {
      client[method]({ text: "hello" }, metadata, options, (error, answer) =>
        resolve(error ? { code: error.code, details: error.details } : { code: 0, messages: [answer] }),
      );
      return;
    }
    const messages = [];
    const stream = client.chat(metadata, options);
    stream.on("data", (message) => {
      messages.push(message);
      // The next message is sent only when the answer to the last one is there: nothing on the way may hold a stream
      // back.
      if (messages.length < 3) stream.write({ text: String(messages.length) });
      else stream.end();
    });
    stream.on("error", () => {});
    stream.on("status", ({ code, details }) => resolve({ code, details, messages }));
    stream.write({ text: "0" });
  });
}

http
  .createServer(async (request, response) => {
    const {
      target,
      method = "unary",
      direct,
      ...rest
    } = Object.fromEntries(new URL(request.url, "http://x").searchParams);
    if (target === undefined) return response.end();
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(rest)) metadata.set(name, value);
    const client = clientOf(target, direct !== undefined);
    const answer = await call(client, method, metadata);
    client.close();
    response.end(JSON.stringify(answer));
  })
  .listen(Number(PORT), "127.0.0.1");
