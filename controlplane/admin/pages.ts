// The pages of the admin address, by path: each is cheap and changes nothing.
import type { ConcernedProxies } from "../proxies/concerned-proxies.ts";
import type { RolloutStatus } from "../rollout/status.ts";
import type { Registry } from "../telemetry/metrics.ts";
import { type Answer, json, text } from "./answer.ts";
import type { AdminChanges } from "./changes.ts";
import type { ControlPlaneView } from "./contract.ts";
import type { DebugScope } from "./debug/access.ts";
import { debugHelp, debugPage, type DebugSources } from "./debug/pages.ts";
import { distributionOf, namedObject } from "./distribution.ts";
import { buildProxyStatus } from "./proxy-status.ts";
import { buildSyncReport } from "./sync-report.ts";
import { reportOf } from "./violation-report.ts";

/** What the pages show. */
export interface ShownParts {
  readonly view: ControlPlaneView;
  readonly metrics: Registry;
  /** True under `scrim up`: /synced then also asks for a pod behind every local Deployment. */
  readonly runsLocally: boolean;
  /** What the debug pages show. */
  readonly debug: DebugSources;
  readonly rollouts: () => readonly RolloutStatus[];
  readonly changes: AdminChanges;
  readonly concerned: ConcernedProxies;
}

/** A page of the admin address. */
export interface Page {
  /**
   * `all`: no secret of the mesh. `mesh`: callers that see the whole mesh. `namespace`: callers of one namespace too,
   * who see their part.
   */
  readonly for: "all" | "mesh" | "namespace";
  readonly help: string;
  readonly answer: (query: URLSearchParams, scope: DebugScope) => Answer | Promise<Answer>;
}

/** Returns the pages by path. */
export function createPages(parts: ShownParts): ReadonlyMap<string, Page> {
  return new Map([...pagesForAll(parts), ...pagesOfTheMesh(parts), ...pagesInIstiosForm(parts.debug)]);
}

type Pages = readonly (readonly [path: string, page: Page])[];

function pagesForAll({ view, metrics }: ShownParts): Pages {
  const ready: Page = {
    for: "all",
    help: "200 once the sources are read",
    answer: () => (view.isReady() ? text(200, "ready\n") : text(503, "not ready: the sources are being read\n")),
  };
  const measured: Page = {
    for: "all",
    help: "Prometheus metrics",
    answer: async () => ({ status: 200, type: metrics.contentType, body: await metrics.metrics() }),
  };
  return [
    ["/ready", ready],
    ["/metrics", measured],
  ];
}

function pagesOfTheMesh({ view, runsLocally, rollouts, changes, concerned }: ShownParts): Pages {
  const page = (help: string, answer: Page["answer"]): Page => ({ for: "mesh", help, answer });
  const synced = (): Answer => {
    const report = buildSyncReport(view, runsLocally);
    return json(report.synced ? 200 : 503, report);
  };
  return [
    ["/synced", page("200 once every workload answers and every proxy is in sync", synced)],
    ["/debug/violations", page("what is wrong with the documents", () => json(200, view.violations().map(reportOf)))],
    [
      "/debug/proxies",
      page("every proxy with its addresses and how far it is in sync", () =>
        json(200, buildProxyStatus(view, runsLocally)),
      ),
    ],
    [
      "/debug/rollouts",
      page("which versions of each plugin are served, and where the token for changes is", () =>
        json(200, { tokenFile: changes.tokenFile, rollouts: rollouts() }),
      ),
    ],
    [
      "/debug/distribution",
      page("how far an object has got; ?object=KIND/NAMESPACE/NAME", (query) =>
        distributionAnswer(query.get("object") ?? "", view, concerned),
      ),
    ],
  ];
}

async function distributionAnswer(
  object: string,
  view: ControlPlaneView,
  concerned: ConcernedProxies,
): Promise<Answer> {
  const named = namedObject(object);
  if (named !== undefined) await concerned.find(named);
  const distribution = distributionOf(view, object, concerned.concerns);
  return distribution === undefined
    ? text(400, "give the object: ?object=KIND/NAMESPACE/NAME, as in VirtualService/default/reviews\n")
    : json(200, distribution);
}

function pagesInIstiosForm(debug: DebugSources): Pages {
  return debugHelp().map(({ name, help }) => [
    `/debug/${name}`,
    { for: "namespace", help, answer: (query, scope) => debugAnswer(name, query, scope, debug) },
  ]);
}

function debugAnswer(name: string, query: URLSearchParams, scope: DebugScope, debug: DebugSources): Answer {
  const answer = debugPage(name, query, scope, debug);
  if (answer === undefined) return text(404, "there is no such page\n");
  return answer.status === 200 ? json(200, answer.value) : text(answer.status, `${answer.message}\n`);
}
