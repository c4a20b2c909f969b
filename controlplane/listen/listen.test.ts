import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { explainListening, listen } from "./listen.ts";
import { findPortHolder, listeningInodes } from "./port-holder.ts";

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

function server(): Server {
  const one = createServer();
  open.push(one);
  return one;
}

const HERE = { address: "127.0.0.1", port: 0 };

describe("listening", () => {
  it("resolves to the port that was free", async () => {
    const { address, port } = await listen(server(), HERE);
    expect([address, port > 0]).toEqual(["127.0.0.1", true]);
  });

  it("on a taken port ends with the option, the process that has it, and what to do", async () => {
    const { port } = await listen(server(), HERE);
    await expect(listen(server(), { ...HERE, port, option: "--admin-address" })).rejects.toMatchObject({
      code: "address-taken",
      message: expect.stringMatching(
        new RegExp(
          `^Port ${port} of --admin-address is taken by process ${process.pid} \\(.+\\): ` +
            "end that process, or ask for another port \\(0 picks a free one\\)\\.$",
        ),
      ),
      cause: { code: "EADDRINUSE" },
    });
  });

  it("at an address of another machine says that it is one", async () => {
    await expect(
      listen(server(), { address: "192.0.2.1", port: 15_014, option: "--xds-address" }),
    ).rejects.toMatchObject({
      code: "address-not-here",
      message:
        "Port 15014 of --xds-address cannot be opened, for 192.0.2.1 is no address of this machine: " +
        "ask for one that is, as 127.0.0.1, or for 0.0.0.0, which is all of them.",
    });
  });

  // Whoever runs the tests may be root, who may open any port.
  it("on a port of root's names what others may have", async () => {
    expect(await explainListening({ code: "EACCES", message: "" }, "Port 80 of --admin-port", HERE)).toEqual({
      kind: "failed",
      code: "address-forbidden",
      message: "Port 80 of --admin-port may not be opened by this user: ask for a port from 1024 on.",
    });
  });

  it("passes on what it has no word for", async () => {
    expect(await explainListening({ code: "EMFILE", message: "too many open files" }, "Port 1", HERE)).toMatchObject({
      code: "cannot-listen",
      message: "Port 1 cannot be opened: too many open files.",
    });
  });
});

describe("who has a port", () => {
  const table =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n" +
    "   1: 07040A7F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0\n" +
    "   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0\n";

  it("is who listens at this address, or at all", () => {
    expect(listeningInodes(table, 8080)).toEqual(["1", "3"]);
    expect(listeningInodes(table, 8080, "127.10.4.7")).toEqual(["2", "3"]);
    expect(listeningInodes(table, 8080, "0.0.0.0")).toEqual(["1", "2", "3"]);
  });

  it("is nobody where nobody listens", async () => {
    const { port } = await listen(server(), HERE);
    open.pop()?.close();
    expect(await findPortHolder(port)).toBeUndefined();
  });
});
