// Consumes: what connected gateways say no to of the credentials they are told of, and the World.
// Produces: violations of the Gateways whose servers stay closed for that, as long as they do; which secrets are to be
// said anew, as their files may be there by now.
// Never does: read a file; look at proxies where no Gateway names files.
import { isDeepStrictEqual } from "node:util";
import { isFailed } from "../model/failure.ts";
import { isPassedOn, openedServers, type ServerTlsSpec } from "../model/kinds/gateway.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import type { Clock } from "../telemetry/clock.ts";
import { AUTHORITIES_FILES, CERTIFICATE_FILES, resolveServerTls } from "../translate/resolve/gateway-tls.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import type { Reach } from "../xds/reach.ts";
import type { ConnectedProxy } from "../xds/server.ts";

export interface RefusedFilesStage extends Stage {
  readonly violations: Cell<readonly StoreViolation[]>;
  readonly offers: Cell<FileOffers>;
}

/** By names of secrets that name files: how often they were offered anew. */
export type FileOffers = ReadonlyMap<string, number>;

interface RefusedFilesSources {
  readonly world: Cell<World>;
  readonly reach: Cell<Pick<Reach, "status">>;
  readonly clock: Pick<Clock, "sleep">;
}

/** Files are their proxy's own, and nobody tells when it has read them. */
const LOOK_MS = 1_000;
/** So many looks after an offer comes the next; the first look after it comes too early to tell. */
const LOOKS_BETWEEN_OFFERS = 5;
const MAX_REASON = 200;

/** Returns the stage that tells which files of Gateways their proxies refuse. */
export function createRefusedFilesStage({ world, reach, clock }: RefusedFilesSources): RefusedFilesStage {
  const violations = createCell<readonly StoreViolation[]>([]);
  const offers = createCell<FileOffers>(new Map());
  let sinceOffer = 0;
  const look = (): void => {
    if (sinceOffer++ === 0) return;
    const now = world.read();
    const proxies = fileServers(now).length > 0 ? reach.read().status() : [];
    const found = refusedFiles(now, proxies);
    if (!isDeepStrictEqual(found, violations.read())) violations.set(found);
    if (found.length === 0 || sinceOffer < LOOKS_BETWEEN_OFFERS) return;
    offers.set(offeredAnew(offers.read(), proxies));
    sinceOffer = 0;
  };
  return {
    name: "refused files",
    violations,
    offers,
    async start(signal) {
      void (async () => {
        while (!signal.aborted) {
          await clock.sleep(LOOK_MS, signal).catch(() => undefined);
          if (!signal.aborted) look();
        }
      })();
    },
  };
}

/** Returns what is wrong with servers of Gateways whose files a proxy refused, each once. */
export function refusedFiles(
  world: World,
  proxies: readonly Pick<ConnectedProxy, "pod" | "namespace" | "rejections">[],
): readonly StoreViolation[] {
  const found = new Map<string, StoreViolation>();
  for (const { pod, namespace, rejections } of proxies)
    for (const { type, resources, message } of rejections) {
      const said = `${pod}.${namespace} refuses its files: ${inOneLine(message)}: this server stays closed`;
      for (const { gateway, index, files } of type === "sds" ? fileServers(world) : [])
        if (files.some((name) => resources.includes(name)))
          found.set(`${objectKey(refOf(gateway))} ${index}`, violationOf(gateway, index, said));
    }
  return [...found.values()];
}

/** Returns the offers with one more of each that a proxy refused. */
function offeredAnew(offers: FileOffers, proxies: readonly Pick<ConnectedProxy, "rejections">[]): FileOffers {
  const refused = proxies.flatMap(({ rejections }) =>
    rejections.filter(({ type }) => type === "sds").flatMap(({ resources }) => resources),
  );
  return new Map([...offers, ...refused.map((name) => [name, (offers.get(name) ?? 0) + 1] as const)]);
}

interface FileServer {
  readonly gateway: MeshObject<"Gateway">;
  readonly index: number;
  /** By the names of the secrets that hold them. */
  readonly files: readonly string[];
}

/** The servers of Gateways that name files. */
const fileServers = derived(
  (world: World): readonly FileServer[] =>
    world
      .list("Gateway")
      .flatMap((gateway) =>
        openedServers(gateway.spec).map(([index, { tls }]) => ({
          gateway,
          index,
          files: filesOf(world, gateway, tls),
        })),
      )
      .filter(({ files }) => files.length > 0),
  { same: isDeepStrictEqual },
);

function filesOf(world: World, { metadata }: MeshObject, tls: ServerTlsSpec | undefined): readonly string[] {
  if (tls === undefined || isPassedOn(tls.mode)) return [];
  const ended = resolveServerTls(world, metadata.namespace, tls);
  if (isFailed(ended) || ended.kind !== "own") return [];
  return [...ended.certificates, ...(ended.clients ? [ended.clients.authorities] : [])].filter(
    (name) => name.startsWith(CERTIFICATE_FILES) || name.startsWith(AUTHORITIES_FILES),
  );
}

function violationOf(gateway: MeshObject<"Gateway">, index: number, message: string): StoreViolation {
  return {
    severity: "error",
    origin: { ...gateway.origin },
    object: objectKey(refOf(gateway)),
    field: `spec.servers[${index}].tls`,
    message,
    servingLastGood: false,
  };
}

function inOneLine(reason: string): string {
  // However the folder was written this time (named-credentials.ts).
  return (reason.trim().split("\n")[0] ?? "").replaceAll("/./", "/").slice(0, MAX_REASON);
}
