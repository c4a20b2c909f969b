import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTrapLog } from "./trap-log.ts";
import { markOf, readTrap } from "./traps.ts";

const MARK = markOf("default/stamp", "81c73599681e");
// As Envoy 1.40 writes it.
const LINE =
  `[2026-11-21T12:38:39.808-05:00][31487][error][wasm] [source/extensions/common/wasm/wasm_vm.cc:38] ` +
  `Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable\\n` +
  `Proxy-Wasm plugin in-VM backtrace:\\n  0:  0x146 - ${MARK} filters/header/onRequestHeaders\\n  1:  0x25e - ${MARK}`;
const LOGGED = (text: string) =>
  `[2026-11-21T17:38:42.078+00:00][31665][error][wasm] [source/extensions/common/wasm/context.cc:1157] ` +
  `wasm log plugin plugin: ${text}`;

describe("readTrap", () => {
  it("reads whose the code was, in which callback, and when, whatever the machine's time zone", () => {
    expect(readTrap(LINE)).toEqual({
      mark: MARK,
      callback: "proxy_on_request_headers",
      message: "Uncaught RuntimeError: unreachable",
      atMs: Date.UTC(2026, 10, 21, 17, 38, 39, 808),
    });
  });
  it("reads a module whose functions have no names of their own", () =>
    expect(readTrap(LINE.replace(" filters/header/onRequestHeaders", ""))?.mark).toBe(MARK));
  it.each([
    ["what a plugin logs", LOGGED(LINE)],
    ["what a plugin logs with a line's end in it", LOGGED(`x\\n${LINE}`)],
    ["what another part of Envoy logs", LINE.replace("[error][wasm]", "[error][http]")],
    ["what stands behind something else", ` ${LINE}`],
    ["a module that is nobody's", LINE.replace(MARK, "unknown(function index:7)")],
    ["a mark that only the second frame has", LINE.replace(`- ${MARK} filters`, `- filters ${MARK}`)],
    ["a longer word that begins as a mark", LINE.replace(MARK, `${MARK}0`)],
    ["nothing", ""],
  ])("takes %s for no trap", (_, line) => expect(readTrap(line)).toBeUndefined());
  it("knows one plugin's version from the same version of another", () =>
    expect(markOf("default/other", "81c73599681e")).not.toBe(MARK));
});

describe("createTrapLog", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "scrim-trap-log-"));
    path = join(directory, "envoy.log");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const countOf = async (log: ReturnType<typeof createTrapLog>) => (await log.read([path])).length;

  it("tells of each trap once, also of those from before, and of a line that comes in two parts", async () => {
    const log = createTrapLog();
    expect(await countOf(log)).toBe(0);
    writeFileSync(path, `${LINE}\nsomething\n${LINE}\n${LINE.slice(0, 60)}`);
    expect([await countOf(log), await countOf(log)]).toEqual([2, 0]);
    appendFileSync(path, `${LINE.slice(60)}\n`);
    expect([await countOf(log), await countOf(log)]).toEqual([1, 0]);
  });
  it("begins anew with a file that was begun anew", async () => {
    const log = createTrapLog();
    writeFileSync(path, `${LINE}\n${LINE}\n`);
    expect(await countOf(log)).toBe(2);
    writeFileSync(path, `${LINE}\n`);
    expect(await countOf(log)).toBe(1);
  });
  it("reads only the end of a long file, and takes no middle of a line for one", async () => {
    const lookBack = 16 * 1_024 * 1_024;
    const inside = `${LOGGED("")}${"y".repeat(100)}`;
    // The part that is read begins exactly where a plugin's text looks like a line.
    const tail = `${LINE}\n${LINE}\n`;
    writeFileSync(path, `${LINE}\n${inside}${tail}${"z".repeat(lookBack - tail.length)}`);
    const log = createTrapLog();
    let found = 0;
    for (let i = 0; i < 6; i++) found += await countOf(log);
    expect(found).toBe(1);
  });
  it("goes on past a line without an end", async () => {
    writeFileSync(path, `${"x".repeat(9 * 1_024 * 1_024)}\n${LINE}\n`);
    const log = createTrapLog();
    expect([await countOf(log), await countOf(log), await countOf(log), await countOf(log)]).toEqual([0, 0, 1, 0]);
  });
});
