import { expect, it } from "vitest";
import { failed } from "../model/failure.ts";
import type { ApiAnswer, ApiCall } from "../kubernetes/api-client.ts";
import { createDebugReaders } from "./debug-readers.ts";

/** A cluster in which `admin` may get /debug/…. */
function readers(isReachable = true) {
  const calls: ApiCall[] = [];
  const answer = (status: object): ApiAnswer => ({ kind: "answer", status: 201, body: { status } });
  const mayRead = createDebugReaders({
    async request(call) {
      calls.push(call);
      if (!isReachable) return failed("unreachable", "nobody is there");
      const { spec } = call.body as {
        spec: { token?: string; user?: string; nonResourceAttributes?: { path: string } };
      };
      if (spec.token !== undefined)
        return answer({
          authenticated: spec.token !== "guess",
          user: { username: spec.token, uid: "1", groups: ["people"], extra: { team: ["mesh"] } },
        });
      return answer({ allowed: spec.user === "admin" && spec.nonResourceAttributes?.path.startsWith("/debug/") });
    },
  });
  return { calls, mayRead };
}

it("a page is read by whom the cluster's rules let get its path", async () => {
  const { mayRead, calls } = readers();
  expect(await mayRead("admin", "/debug/syncz")).toBe("allowed");
  expect(calls[1]?.body).toMatchObject({
    spec: {
      ...{ user: "admin", uid: "1", groups: ["people"], extra: { team: ["mesh"] } },
      nonResourceAttributes: { path: "/debug/syncz", verb: "get" },
    },
  });
  expect(await mayRead("admin", "/synced")).toBe("denied");
  expect(await mayRead("somebody", "/debug/syncz")).toBe("denied");
  expect(await mayRead("guess", "/debug/syncz")).toBe("nobody's");
  expect(await readers(false).mayRead("admin", "/debug/syncz")).toBe("unknown");
});
