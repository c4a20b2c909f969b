// What the debug pages read of the running stages: over HTTP, and over ADS at a pace.
import { encode } from "../../../protos/codec.ts";
import { failed } from "../../model/failure.ts";
import { compareText } from "../../model/object.ts";
import { resourceKinds, resourceTypes } from "../../snapshot/type-urls.ts";
import type { Cell } from "../../stages/cell.ts";
import type { Reach } from "../../xds/reach.ts";
import type { Answer, ConnectedProxy, XdsServerOptions } from "../../xds/server.ts";
import { payloadOf } from "../../xds/grpc/wire.ts";
import type { ControlPlaneView } from "../contract.ts";
import type { DebugCaller } from "./access.ts";
import type { DebugConnection } from "./connection.ts";
import { type DebugResources, debugResources } from "./over-ads.ts";
import type { DebugSources } from "./pages.ts";
import { createQuestionPace, type PaceClock } from "./question-pace.ts";

/** What the debug pages read of the same stages. */
export function debugSources(view: ControlPlaneView, reach: Cell<Reach>): DebugSources {
  const connections = (): DebugConnection[] => {
    const all = reach.read().status();
    const proven = new Set(all.filter(({ isProven }) => isProven).map(({ nodeId }) => nodeId));
    // What is held under a node id is the proven proxy's, whatever namespace somebody else claims who says that he is
    // that node.
    return all
      .map((status) =>
        debugConnection(status, () =>
          status.isProven || !proven.has(status.nodeId) ? reach.read().held(status.nodeId) : undefined,
        ),
      )
      .sort((a, b) => compareText(a.connectionId, b.connectionId));
  };
  return {
    world: () => view.world(),
    connections,
    violations: () => view.violations(),
    rejections: () => view.proxies(),
  };
}

function debugConnection(status: ConnectedProxy, held: () => ReturnType<Reach["held"]>): DebugConnection {
  const { connectionId, connectedAtMs, peer, nodeId, pod, namespace, envoyVersion, metadata, types, rejections } =
    status;
  let known: ReturnType<typeof held>;
  // All that a proxy holds is looked up once for a page, however many kinds the page shows.
  const heldOnce = () => (known ??= held());
  const asked = resourceKinds.filter((kind) => types[resourceTypes[kind].short].state !== "IGNORED");
  return {
    // Istio's form: the node, and which of the server's streams it is.
    connectionId: `${nodeId}-${connectionId}`,
    connectedAtMs,
    peerAddress: peer,
    nodeId,
    pod,
    namespace,
    envoyVersion,
    metadata,
    kinds: new Map(
      asked.map((kind) => {
        const { short } = resourceTypes[kind];
        const { state, sentVersion, ackedVersion, ackedAtMs } = types[short];
        const error = rejections
          .filter(({ type }) => type === short)
          .map(({ message }) => message)
          .join("; ");
        return [
          kind,
          {
            state,
            sent: sentVersion,
            acked: ackedVersion,
            ackedAtMs,
            error: error === "" ? undefined : error,
            get watched() {
              return watchedNames(heldOnce()?.[short]?.watched);
            },
          },
        ];
      }),
    ),
    held: (kind) => (kind === "secrets" ? [] : (heldOnce()?.[resourceTypes[kind].short]?.resources ?? [])),
  };
}

function watchedNames(watched: readonly string[] | "*" | undefined): readonly string[] {
  return watched === undefined || watched === "*" ? [] : watched;
}

/**
 * The debug pages as the xDS server asks for them, at a pace that leaves most of the time to proxies. A caller without
 * identity came by the port that is open on this machine only.
 */
export function debugAnswers(sources: DebugSources, clock: PaceClock): NonNullable<XdsServerOptions["debugResources"]> {
  const atPace = createQuestionPace(clock);
  return async (typeUrl, names, asker) => {
    const caller: DebugCaller =
      asker === undefined ? { kind: "local" } : { kind: "workload", namespace: asker.namespace };
    const answer = await atPace(asker === undefined ? "" : `${asker.namespace}/${asker.pod}`, () =>
      answerOf(debugResources(typeUrl, names, caller, sources)),
    );
    return answer ?? failed("busy", "too many questions are waiting: ask again when these are answered");
  };
}

function answerOf(answer: DebugResources | undefined): Answer {
  if (answer === undefined) return { kind: "answer", resources: [] };
  if (answer.kind === "failed") return answer;
  return {
    kind: "answer",
    resources: answer.resources.map(({ name, resource }) => ({
      name,
      bytes: payloadOf({ bytes: encode("Resource", { name, resource }) }),
    })),
  };
}
