// Consumes: contents that no Envoy loads, as they are found.
// Produces: the objects that made them so, held back and told of by name; brought back when a file is there that they
// lacked.
// Never does: hold back what it cannot trace; trace two at a time.
import { createResourceEncoder, type EncodedResource, type EncodedResources } from "../snapshot/encode.ts";
import type { Cell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import { isPluginFilter } from "../translate/resolve/wasm-plugin.ts";
import type { RejectedContent } from "../xds/rejections/blame.ts";
import { plainRoutes } from "../xds/plain-routes.ts";
import type { Verdict } from "../xds/rejections/scratch-process.ts";
import { type HeldObjects, VERSIONS_BACK } from "./held-objects.ts";
import type { PublicationStage } from "./publication.ts";
import { createNamedFiles, type NamedFiles } from "./named-files.ts";
import { contentOf, contentWithout, isMade, type Refusal, type Suspect, traceRefusal } from "./trace-refusal.ts";

export interface RefusalSources {
  readonly publication: Pick<PublicationStage, "published" | "ownerOf">;
  readonly held: HeldObjects;
  /** The contents that are kept from all proxies; another list whenever one more is. */
  readonly refused: Cell<readonly RejectedContent[]>;
  /** Whether an Envoy that serves nobody loads a content; undefined when that cannot be told. */
  readonly loads: (content: EncodedResource) => Promise<boolean | undefined>;
  /** The same, of one that was refused when a file that it names was another. */
  readonly tryAgain: (content: EncodedResource) => Promise<Verdict | undefined>;
  /** Nothing is known any more of the content of this version. */
  readonly forget: (version: string) => void;
  readonly logger: Logger;
  readonly clock: Pick<Clock, "sleep">;
}

/** Objects that are held back for one content. */
interface HeldFor {
  readonly culprits: readonly Suspect[];
  readonly content: EncodedResource;
}

/** How often files that refusals name are looked at. */
const LOOK_MS = 1_000;

/** How far back a culprit is looked for: in the last change, in the last few, in all there is. */
const CHANGES_BACK = [1, 5, Infinity];

/** Returns the stage that traces refusals to objects. */
export function createRefusalStage(sources: RefusalSources): Stage {
  const { publication, held, refused, loads, logger, clock } = sources;
  const files = createNamedFiles<HeldFor>();
  const { published, ownerOf } = publication;
  const encoder = createResourceEncoder();
  /** By version of the content, after how many changes it was traced. */
  const traced = new Map<string, number>();
  let isTracing = false;

  const traceOne = async (refusal: Refusal, reason: string): Promise<void> => {
    const { kind, name } = refusal.content;
    const culprits = await culpritsOf(refusal, held);
    const content = contentOf(refusal);
    if (culprits.length > 0 && content !== undefined) {
      const found = culprits.filter(({ object }) => !held.holds(object));
      const own = await Promise.all(found.map((culprit) => reasonOf(culprit, culprits, refusal, sources)));
      held.hold(found.map((culprit, index) => ({ ...culprit, reason: inOneLine(own[index] ?? reason, name) })));
      await files.follow({ culprits, content }, reason);
    } else logger.warn({ kind, name, reason }, "a content that no Envoy loads could not be traced to an object");
  };
  const traceAll = async (): Promise<void> => {
    for (;;) {
      const inputs = published.read();
      const found = inputs && nextOf(refused.read(), inputs);
      if (found === undefined) return;
      traced.set(found.refusal.content.version, held.changes());
      await traceOne(found.refusal, found.reason);
    }
  };
  const nextOf = (contents: readonly RejectedContent[], inputs: Inputs) => {
    for (const { resource: content, reason } of contents) {
      const { kind, name, version } = content;
      // A plugin's version is taken back by its rollout.
      if (kind === "secrets" || isPluginFilter(name)) continue;
      if (traced.get(version) === held.changes()) continue;
      const hasIt = ({ maps }: EncodedResources): boolean => maps[kind].get(name)?.version === version;
      const hasWhole = ({ maps }: EncodedResources): boolean =>
        kind === "routes" && plainRoutes(maps.routes, maps.virtualHosts).get(name)?.version === version;
      const owner = ownerOf(hasIt);
      const proxy = owner ?? ownerOf(hasWhole);
      if (proxy === undefined) continue;
      const isWhole = owner === undefined;
      const refusal: Refusal = { inputs, proxy, content: { kind, name, version, isWhole }, encoder, loads };
      if (isMade(refusal)) return { refusal, reason };
    }
    return undefined;
  };
  const look = async (): Promise<void> => {
    if (isTracing) return;
    isTracing = true;
    await traceAll().catch((error: unknown) => logger.error({ err: error }, "a refused content could not be traced"));
    isTracing = false;
  };
  const lookAgain = createSecondLook(sources, files);
  return {
    name: "refusals",
    async start(signal) {
      refused.subscribe(() => void look());
      published.subscribe(() => void look());
      void every(LOOK_MS, clock, signal, async () => {
        // What was traced once is traced anew if it is refused again.
        if (await lookAgain()) traced.clear();
      });
    },
  };
}

/** Returns what brings back objects whose contents load now that a file is there, and whether there were any. */
function createSecondLook(
  { held, refused, tryAgain, forget }: RefusalSources,
  files: NamedFiles<HeldFor>,
): () => Promise<boolean> {
  return async () => {
    let isAny = false;
    for (const { refusal, paths } of await files.changed()) {
      const { culprits, content } = refusal;
      files.forget(refusal);
      const still = culprits.filter(({ object }) => held.holds(object));
      if (still.length === 0) continue;
      const verdict = await tryAgain(content);
      if (verdict?.loads === false) {
        held.hold(still.map((culprit) => ({ ...culprit, reason: inOneLine(verdict.reason, content.name) })));
        await files.follow(refusal, verdict.reason);
        continue;
      }
      for (const { reason, resource } of refused.read())
        if (paths.some((path) => reason.includes(path))) forget(resource.version);
      held.release(still.map(({ object }) => object));
      isAny = true;
    }
    return isAny;
  };
}

async function every(
  ms: number,
  clock: Pick<Clock, "sleep">,
  signal: AbortSignal,
  what: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(ms, signal).catch(() => undefined);
    if (!signal.aborted) await what();
  }
}

/** Of several culprits Envoy's first word is about one: what it says of each is what it says without the others. */
async function reasonOf(
  culprit: Suspect,
  culprits: readonly Suspect[],
  refusal: Refusal,
  { tryAgain }: Pick<RefusalSources, "tryAgain">,
): Promise<string | undefined> {
  if (culprits.length === 1) return undefined;
  const others = culprits.filter((other) => other !== culprit);
  const content = contentWithout(refusal, others);
  const verdict = content && (await tryAgain(content));
  return verdict?.loads === false ? verdict.reason : undefined;
}

/** In the changes of late first, each object at a version before; then without them altogether. */
async function culpritsOf(refusal: Refusal, held: HeldObjects): Promise<readonly Suspect[]> {
  const { world } = refusal.inputs;
  for (const count of CHANGES_BACK) {
    const changed = held
      .lately(count)
      .filter(({ object: { kind, metadata } }) => world.get(kind, metadata.namespace, metadata.name) !== undefined);
    for (let back = 0; back <= VERSIONS_BACK; back++) {
      // In the end without them all.
      const suspects = changed.map(({ object, before }): Suspect => ({ object, instead: before[back] }));
      const isLast = suspects.every(({ instead }) => instead === undefined);
      const culprits = await traceRefusal(refusal, suspects);
      if (culprits.length > 0) return culprits;
      if (isLast) break;
    }
  }
  return [];
}

const MAX_REASON = 200;

/**
 * Envoy's reasons name each resource that was refused, say what is wrong on a line, and go on with all that was in it.
 */
function inOneLine(reason: string, name: string): string {
  const at = reason.indexOf(`${name}: `);
  const own = at < 0 ? reason : reason.slice(at + name.length + 2);
  const line = (own.trim().split("\n")[0] ?? "").replace(/:?\s*goo\.gle\/debug.*$/, "");
  if (line === "") return "it does not say why";
  const said = /.*caused by (field: .*, reason: .*?)\)*$/.exec(line)?.[1] ?? line;
  return said.length > MAX_REASON ? `${said.slice(0, MAX_REASON - 1)}…` : said;
}
