// What a stream's state says about its proxy, in the words of proxy-status.
import { fingerprintOf } from "../../snapshot/changes.ts";
import { type ResourceShortName, resourceKinds, resourceTypes } from "../../snapshot/type-urls.ts";
import type { Withheld } from "../rejections/quarantine.ts";
import { hasUpdates, pendingOf } from "../state-machine/pending.ts";
import type { StreamState } from "../state-machine/stream-state.ts";
import type { Blame } from "../rejections/blame.ts";
import type { TypeState } from "../state-machine/type-state.ts";

/**
 * In Istio's words. SYNCED: everything sent was acknowledged and is current. STALE: sent, or about to be, and not
 * acknowledged. NOT SENT: asked for, nothing there. ERROR, which is ours: a rejected content is still the wanted one.
 * IGNORED: the proxy did not ask for this type.
 */
export type SyncState = "SYNCED" | "STALE" | "NOT SENT" | "ERROR" | "IGNORED";

/** One proxy and one resource type. Versions are fingerprints of the type's whole content. */
export interface TypeStatus {
  readonly state: SyncState;
  readonly sentVersion: string | undefined;
  readonly ackedVersion: string | undefined;
  readonly ackedAtMs: number | undefined;
}

/** A content that the proxy rejected, or goes without because others did. */
export interface Rejection {
  readonly type: ResourceShortName;
  /** The culprits' names, where they are known. */
  readonly resources: readonly string[];
  readonly message: string;
  readonly atMs: number;
  /** Whose fault it is, and so whether it is kept from all or from this proxy. */
  readonly blame: Blame;
}

/** What the status of a stream's types depends on besides its state. */
export interface StatusContext {
  /** The contents that are kept from the proxy. */
  readonly withheld: readonly Withheld[];
  /** There may be something newer for it than the state knows. */
  readonly isStale: boolean;
}

/** The status of every type, by its short name. */
export function typeStatuses(
  state: StreamState,
  { withheld, isStale }: StatusContext,
): Record<ResourceShortName, TypeStatus> {
  const entries = resourceKinds.map((kind) => {
    const { typeUrl, short } = resourceTypes[kind];
    const isWithheld = withheld.some(({ resource }) => resource.kind === kind);
    const status = typeStatus(state.types.get(typeUrl), isWithheld);
    return [short, isStale && status.state === "SYNCED" ? { ...status, state: "STALE" as const } : status] as const;
  });
  return Object.fromEntries(entries) as Record<ResourceShortName, TypeStatus>;
}

function typeStatus(type: TypeState | undefined, isWithheld: boolean): TypeStatus {
  if (type === undefined)
    return { state: "IGNORED", sentVersion: undefined, ackedVersion: undefined, ackedAtMs: undefined };
  return {
    state: syncState(type, isWithheld),
    sentVersion: type.sentBasis && fingerprintOf(type.sentBasis),
    ackedVersion: type.ackedBasis && fingerprintOf(type.ackedBasis),
    ackedAtMs: type.ackedAtMs,
  };
}

function syncState(type: TypeState, isWithheld: boolean): SyncState {
  if (isWithheld || isRejecting(type)) return "ERROR";
  if (isMoving(type)) return "STALE";
  if (type.ackedBasis === undefined) return "NOT SENT";
  return type.ackedBasis === type.basis ? "SYNCED" : "STALE";
}

function isMoving(type: TypeState): boolean {
  const pending = pendingOf(type);
  return type.flight !== undefined || hasUpdates(pending, type) || pending.removals.length > 0;
}

/** Whether a content that this stream's client rejected is the wanted one still. */
function isRejecting(type: TypeState): boolean {
  return type.suspects.length + type.examined.size > 0 || stillRejected(type).length > 0;
}

function stillRejected(type: TypeState) {
  return [...type.rejected].filter(([name, { version }]) => type.basis.get(name)?.version === version);
}

const WORST_FIRST: readonly SyncState[] = ["ERROR", "STALE", "NOT SENT", "SYNCED", "IGNORED"];

/** The status of a type that a proxy asks for on several streams: the worst of them. */
export function worstOf(statuses: readonly TypeStatus[]): TypeStatus {
  return statuses.reduce((worst, status) =>
    WORST_FIRST.indexOf(status.state) < WORST_FIRST.indexOf(worst.state) ? status : worst,
  );
}

/** What the proxy rejected, or its class did, as far as it is still wanted. */
export function rejectionsOf(state: StreamState, withheld: readonly Withheld[]): Rejection[] {
  const rejections: Rejection[] = [];
  for (const kind of resourceKinds) {
    const { typeUrl, short } = resourceTypes[kind];
    const type = state.types.get(typeUrl);
    if (type === undefined) continue;
    const own = withheld.filter(({ resource }) => resource.kind === kind);
    for (const { resource, reason, atMs, blame } of own)
      rejections.push({ type: short, resources: [resource.name], message: reason, atMs, blame });
    if (own.length > 0 || type.rejection === undefined || !isRejecting(type)) continue;
    const refused = stillRejected(type);
    for (const [name, { reason, atMs }] of refused)
      rejections.push({ type: short, resources: [name], message: reason, atMs, blame: "proxy" });
    const { reason, atMs } = type.rejection;
    if (refused.length === 0) rejections.push({ type: short, resources: [], message: reason, atMs, blame: "examined" });
  }
  return rejections;
}

/** Whether nothing is on its way or left to send, of any type. */
export function isQuiet(state: StreamState): boolean {
  if (state.content === undefined) return false;
  for (const type of state.types.values())
    if (type.ackedBasis !== type.basis || type.flight !== undefined) return false;
  return true;
}
