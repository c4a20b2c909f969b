import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { discoveryMethods, serviceDefinition } from "./services.ts";
import { withoutCopies } from "./uncopied-calls.ts";
import type { UnwrittenResponse } from "./wire.ts";

const [method] = discoveryMethods;
const open: { forceShutdown(): void }[] = [];
afterEach(() => open.splice(0).forEach((one) => one.forceShutdown()));

function responseOf(pieces: readonly Uint8Array[]): UnwrittenResponse {
  const whole = Buffer.concat(pieces);
  return { byteLength: whole.length, copy: (target, at) => target.set(whole, at), pieces: () => pieces };
}

/** Bytes that differ from place to place, so that a part in the wrong place shows. */
function bytesOf(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >>> 8) * seed) & 255);
}

async function serve(
  answer: (call: ServerDuplexStream<Uint8Array, UnwrittenResponse>) => void,
): Promise<{ client: Client; port: number }> {
  const server = new Server({ interceptors: [withoutCopies] });
  server.addService(serviceDefinition(), Object.fromEntries(discoveryMethods.map(({ name }) => [name, answer])));
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  open.push(server);
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  open.push({ forceShutdown: () => client.close() });
  return { client, port };
}

const asTheyAre = (bytes: Buffer): Buffer => bytes;

it("responses arrive whole and in order, however large their pieces are", async () => {
  const responses = [[10], [40_000], [1, 300_000, 0, 7], [262_139, 5, 262_144], [1_000_000, 3]].map((sizes, seed) =>
    sizes.map((size) => bytesOf(size, seed + 1)),
  );
  const { client } = await serve((call) => {
    for (const pieces of responses) call.write(responseOf(pieces));
    call.end();
  });
  const received: Buffer[] = [];
  const call = client.makeBidiStreamRequest(method!.path, asTheyAre, asTheyAre);
  call.on("data", (bytes: Buffer) => received.push(bytes));
  await new Promise((resolve, reject) => call.on("status", resolve).on("error", reject));
  expect(received.map((bytes) => bytes.length)).toEqual(
    responses.map((pieces) => pieces.reduce((sum, { length }) => sum + length, 0)),
  );
  expect(received.every((bytes, at) => bytes.equals(Buffer.concat(responses[at]!)))).toBe(true);
});

it("a client that leaves in the middle of a response disturbs nobody", async () => {
  const { client } = await serve((call) => {
    call.on("error", () => undefined);
    call.write(responseOf([bytesOf(3_000_000, 1)]));
  });
  const leaving = client.makeBidiStreamRequest(method!.path, asTheyAre, asTheyAre);
  leaving.on("error", () => undefined);
  await new Promise((resolve) => leaving.once("metadata", resolve));
  leaving.cancel();
  const staying = client.makeBidiStreamRequest(method!.path, asTheyAre, asTheyAre);
  staying.on("error", () => undefined);
  const bytes = await new Promise<Buffer>((resolve) => staying.once("data", resolve));
  expect(bytes.equals(Buffer.from(bytesOf(3_000_000, 1)))).toBe(true);
  staying.cancel();
});
