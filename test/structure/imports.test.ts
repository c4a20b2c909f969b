// The way of the data has one direction: a room imports only what stands before it (house.ts), and no file needs itself
// by way of others.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { house, meetingRooms, neighbours, shared } from "./house.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FOLDERS = ["controlplane", "protos", "filters", "test", "bench", "deploy"];
const PACKAGES: Readonly<Record<string, string>> = {
  "proxy-wasm-host": "test/host/index.ts",
  "as-proxy-wasm-sdk": "filters/sdk/index.ts",
};

interface SourceFile {
  readonly path: string;
  /** Files of this house, from its root. */
  readonly imports: readonly string[];
  /** Those that it needs to run. */
  readonly needs: readonly string[];
}

/** Everything that runs outside of tests. */
const files: readonly SourceFile[] = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
)
  .filter((path) => /\.m?ts$|\.mjs$/.test(path) && !/\.d\.mts$|(?:^|\/)(?:build|node_modules|\.scrim)\//.test(path))
  .filter((path) => !/\.(?:test|scenarios)\.ts$|(?:^|\/)testing[-/.]/.test(path))
  .map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return {
      path,
      imports: importsOf(path, text),
      needs: importsOf(path, text.replace(/^(?:import|export) type [^;]*;/gms, "")),
    };
  });

function importsOf(path: string, text: string): string[] {
  const statements = /^(?:import|export)[^"';]*?from\s+"([^"]+)"|^import "([^"]+)"|import\("([^"]+)"\)/gms;
  return [...text.matchAll(statements)].flatMap(([, from, effect, lazy]) => {
    const named = from ?? effect ?? lazy ?? "";
    const [name = ""] = named.split("/");
    if (!named.startsWith(".")) return PACKAGES[name] ?? [];
    const target = relative(root, resolve(root, dirname(path), named));
    return existsSync(join(root, target)) ? target : `${target}.ts`;
  });
}

/** A room of the control plane, as house.ts names it; undefined for what stands elsewhere. */
function roomOf(path: string): string | undefined {
  const [folder, room, part] = path.split("/");
  if (folder !== "controlplane" || room === undefined) return undefined;
  if (part === undefined) return room.replace(/\.ts$/, "");
  return room === "translate" && !part.endsWith(".ts") ? `translate/${part}` : room;
}

function neighbourOf(path: string): string {
  return path.startsWith("test/host/") ? "test/host" : (path.split("/")[0] ?? "");
}

/** `a.ts → b.ts` of each import that is not allowed. */
function forbidden(isAllowed: (from: string, to: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) =>
    imports.filter((to) => !isAllowed(path, to)).map((to) => `${path} → ${to}`),
  );
}

describe("the way of the data", () => {
  it("is made of exactly the rooms that there are", () => {
    const rooms = new Set(files.flatMap(({ path }) => roomOf(path) ?? []));
    expect([...rooms].sort()).toEqual(house.map(([room]) => room).sort());
  });

  it("has no room that takes from one behind it", () => {
    const places = new Map(house.map(([room], place) => [room, place]));
    for (const [room, from] of house)
      for (const before of from)
        expect(places.get(before) ?? Infinity, `${room} → ${before}`).toBeLessThan(places.get(room) ?? 0);
  });

  it.each(house.filter(([room]) => !meetingRooms.has(room)))("%s takes only from %j", (room, from) => {
    expect(
      forbidden((path, to) => {
        const target = roomOf(to);
        return roomOf(path) !== room || target === undefined || target === room || from.includes(target);
      }),
    ).toEqual([]);
  });

  it.each([...meetingRooms])("%s takes only from rooms before it", (room) => {
    const places = house.map(([name]) => name);
    expect(
      forbidden((path, to) => {
        const target = roomOf(to);
        return roomOf(path) !== room || target === undefined || places.indexOf(target) <= places.indexOf(room);
      }),
    ).toEqual([]);
  });
});

describe("the house", () => {
  it.each(Object.keys(neighbours))("%s takes from outside only what it may", (folder) => {
    expect(
      forbidden((path, to) => {
        const target = neighbourOf(to);
        if (neighbourOf(path) !== folder || target === folder || to === "package.json") return true;
        return (neighbours[folder] ?? []).includes(target) || Object.values(PACKAGES).includes(to);
      }),
    ).toEqual([]);
  });

  it("shares with the control plane only what is said to be shared", () => {
    expect(
      forbidden((path, to) => {
        if (neighbourOf(path) !== "controlplane" || neighbourOf(to) === "controlplane") return true;
        return shared.some((place) => place.test(to)) || Object.values(PACKAGES).includes(to);
      }),
    ).toEqual([]);
  });

  it("has no circle of files that need each other to run", () => {
    expect(circles(new Map(files.map(({ path, needs }) => [path, needs])))).toEqual([]);
  });

  it("has a Wasm host without a test framework", () => {
    const host = files.filter(({ path }) => path.startsWith("test/host/"));
    expect(host.length).toBeGreaterThan(20);
    const framed = host.filter(({ path }) => readFileSync(join(root, path), "utf8").includes('from "vitest"'));
    expect(framed).toEqual([]);
  });
});

/** The groups of files that lead to each other (Tarjan: "Depth-first search and linear graph algorithms"). */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const marks = new Map<string, { readonly index: number; low: number; isOpen: boolean }>();
  const open: string[] = [];
  const visit = (path: string): { low: number } => {
    const mark = { index: marks.size, low: marks.size, isOpen: true };
    marks.set(path, mark);
    open.push(path);
    for (const next of graph.get(path) ?? []) {
      if (!graph.has(next)) continue;
      const known = marks.get(next);
      if (known === undefined) mark.low = Math.min(mark.low, visit(next).low);
      else if (known.isOpen) mark.low = Math.min(mark.low, known.index);
    }
    if (mark.low === mark.index) {
      const group = open.splice(open.indexOf(path));
      for (const member of group) marks.get(member)!.isOpen = false;
      if (group.length > 1) found.push(group.sort());
    }
    return mark;
  };
  for (const path of graph.keys()) if (!marks.has(path)) visit(path);
  return found;
}
