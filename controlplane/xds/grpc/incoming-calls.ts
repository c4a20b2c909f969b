// How a call becomes a stream: who its credential says it is, when it is its turn, and whether there is room for it.
import { status as grpcStatus } from "@grpc/grpc-js";
import { failed } from "../../model/failure.ts";
import { admitNode, describeNode, isModestNode } from "../node.ts";
import type { XdsLimits, XdsServerOptions } from "../server-options.ts";
import type { StreamKind } from "../state-machine/stream-events.ts";
import type { Caller, XdsStream } from "../stream.ts";
import { createCallGuard } from "./call-limits.ts";
import type { Call } from "./outbox.ts";
import type { Prove } from "./proofs.ts";
import { createStreamRateLimit } from "./stream-rate-limit.ts";

type Handle = (call: Call, kind: StreamKind) => void;
/** `from` is a pod, or a connection. */
type Open = (call: Call, kind: StreamKind, caller: Caller, from: string) => void;

/** Handles calls of a port where who comes has to prove who it is. */
export function provenCalls(open: Open, prove: Prove): Handle {
  return (call, kind) =>
    prove(call, (identity) => {
      const caller: Caller = { identity, admit: (node) => admitNode(identity, node), without: [] };
      open(call, kind, caller, `${identity.namespace}/${identity.pod}`);
    });
}

/** Handles calls of a port where everybody is who it says it is, and gets no secrets. */
export function plaintextCalls(open: Open): Handle {
  const anybody: Caller = { identity: undefined, admit: describeNode, without: ["secrets"] };
  return (call, kind) => open(call, kind, anybody, call.getPeer());
}

/** Lets calls in: what comes too fast waits, unread, and who comes has only its share. */
export function createDoor(
  { clock }: XdsServerOptions,
  limits: XdsLimits,
  serve: (call: Call, kind: StreamKind, caller: Caller) => XdsStream,
): Open {
  const nowMs = (): number => clock.monotonicMs();
  const letIn = createStreamRateLimit({
    perSecond: limits.streamsPerSecond,
    burst: limits.streamBurst,
    nowMs,
    setTimer: (callback, ms) => void setTimeout(callback, ms),
  });
  const guard = createCallGuard({ streamsPerOrigin: limits.streamsPerOrigin, silenceMs: limits.stallMs, nowMs });
  return (call, kind, caller, from) => {
    if (!guard.enter(call, from))
      return void call.emit("error", { code: grpcStatus.RESOURCE_EXHAUSTED, details: "too many streams" });
    const begin = (): void => {
      let stream: XdsStream | undefined;
      const silent = (): void => stream?.end(grpcStatus.DEADLINE_EXCEEDED, "nothing was asked for");
      guard.watch(call, from, silent, () => (stream = serve(call, kind, withModestNode(caller))));
    };
    letIn({ from, begin, isGone: () => call.cancelled });
  };
}

function withModestNode({ identity, admit, without }: Caller): Caller {
  return {
    identity,
    without,
    admit: (node) => (isModestNode(node) ? admit(node) : failed("node-too-long", "the node's metadata are too long")),
  };
}
