// Whose call it is: asked before anything of it is read, and again as long as it lasts.
import { status as grpcStatus } from "@grpc/grpc-js";
import type { Failure } from "../../model/failure.ts";
import type { Authenticate, Proof, ProofProblem } from "../authenticate.ts";
import type { ProxyIdentity } from "../node.ts";
import type { XdsLimits, XdsServerOptions } from "../server-options.ts";
import { whenOver } from "./call-limits.ts";
import type { Call } from "./outbox.ts";

/** Calls `begin` when the call has proved whose it is; one that has not, or proves it no longer, is ended. */
export type Prove = (call: Call, begin: (identity: ProxyIdentity) => void) => void;

type ProofLimits = Pick<XdsLimits, "callsToProve" | "proofMs">;
type Outcome = Proof | Failure<ProofProblem>;

const UNAVAILABLE: Failure<ProofProblem> = {
  kind: "failed",
  code: "unavailable",
  message: "whose token it is cannot be told at present",
};

/** Returns a Prove over what tokens prove. */
export function createProofs(authenticate: Authenticate, limits: ProofLimits, log: XdsServerOptions["log"]): Prove {
  let waiting = 0;
  const ask = async (token: string): Promise<Outcome> => {
    try {
      return await authenticate(token);
    } catch (error) {
      log.error({ err: error }, "a token could not be looked at");
      return UNAVAILABLE;
    }
  };
  return (call, begin) => {
    const token = tokenOf(call);
    const refuse = ({ code, message }: Failure<ProofProblem>): void => {
      log.warn({ peer: call.getPeer(), reason: message }, "refused an xDS stream without a valid token");
      end(call, code === "unproven" ? grpcStatus.UNAUTHENTICATED : grpcStatus.UNAVAILABLE, message);
    };
    if (token === "") return refuse({ kind: "failed", code: "unproven", message: "a valid token is needed" });
    if (waiting >= limits.callsToProve) return refuse(UNAVAILABLE);
    waiting++;
    const proof = answerInTime(call, ask(token), limits.proofMs, () => waiting--);
    void proof.then((outcome) => {
      if (outcome === undefined) return;
      if (outcome.kind === "failed") return refuse(outcome);
      askAgain(call, outcome, () => ask(token), refuse);
      begin(outcome.identity);
    });
  };
}

/** The answer, or none when the call was over before it; `over` is called once, as soon as nobody waits. */
function answerInTime(
  call: Call,
  answer: Promise<Outcome>,
  patienceMs: number,
  over: () => void,
): Promise<Outcome | undefined> {
  return new Promise((resolve) => {
    let isOver = false;
    const settle = (outcome: Outcome | undefined): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(patience);
      over();
      resolve(outcome);
    };
    const patience = setTimeout(() => settle(UNAVAILABLE), patienceMs);
    whenOver(call, () => settle(undefined));
    void answer.then((outcome) => settle(call.cancelled ? undefined : outcome));
  });
}

/** A proof that holds for a time only is asked for anew whenever that is over, until the call is. */
function askAgain(
  call: Call,
  proof: Proof,
  ask: () => Promise<Outcome>,
  refuse: (problem: Failure<ProofProblem>) => void,
): void {
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const rely = ({ holdsForMs }: Proof): void => {
    if (holdsForMs !== undefined) timer = setTimeout(() => void next(), holdsForMs);
  };
  const next = async (): Promise<void> => {
    const outcome = await ask();
    if (isOver) return;
    if (outcome.kind === "failed") refuse(outcome);
    else rely(outcome);
  };
  whenOver(call, () => {
    isOver = true;
    clearTimeout(timer);
  });
  rely(proof);
}

function tokenOf(call: Call): string {
  const [header] = call.metadata.get("authorization");
  return typeof header === "string" && /^bearer /i.test(header) ? header.slice(7).trim() : "";
}

function end(call: Call, code: grpcStatus, details: string): void {
  call.emit("error", { code, details });
}
