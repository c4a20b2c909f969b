// Consumes: the gateway proxies the Gateways ask for.
// Produces: one running Envoy for each, listening on ports of this machine.
// Never does: restart one because its Gateways' ports changed; those come by xDS.
import type { GatewayPorts } from "./gateway-ports.ts";
import type { LocalPod } from "./local-pod.ts";
import type { ListenPort } from "../pods/listen-port.ts";
import type { RouterPlan } from "../pods/gateway-plan.ts";
import { createTurns } from "./turns.ts";
import type { Rollout } from "./pod-group.ts";

export interface RouterSet {
  /** Starts, changes and stops gateway proxies; one call at a time is worked on. */
  update(plans: readonly RouterPlan[]): void;
  pods(): readonly LocalPod[];
  isSettled(): boolean;
  stop(graceMs: number): Promise<void>;
}

interface RunningRouter {
  readonly plan: RouterPlan;
  readonly pod: LocalPod;
}

/** Returns the (still empty) set of gateway proxies. */
export function createRouterSet(
  ports: GatewayPorts,
  { factory, publish, say, onChange }: Pick<Rollout, "factory" | "publish" | "say" | "onChange">,
): RouterSet {
  const routers = new Map<string, RunningRouter>();
  const turns = createTurns((message) => say(`gateways: ${message}`));
  let stopped = false;

  async function apply(plans: readonly RouterPlan[]): Promise<void> {
    const wanted = new Map(plans.map((plan) => [identityOf(plan), plan]));
    // Those that go leave first: their ports may be wanted by those that come.
    for (const [identity, router] of routers) if (!wanted.has(identity)) await remove(identity, router);
    for (const [identity, plan] of wanted) {
      if (stopped) return;
      const assigned = await ports.assign(plan);
      const running = routers.get(identity);
      if (running === undefined) await add(identity, plan, assigned);
      else if (JSON.stringify(running.pod.snapshot().pod.ports) !== JSON.stringify(assigned))
        running.pod.setPorts(assigned);
    }
  }

  async function add(identity: string, plan: RouterPlan, assigned: readonly ListenPort[]): Promise<void> {
    const pod = factory.createRouter(plan, assigned);
    routers.set(identity, { plan, pod });
    await publish();
    await pod.start();
  }

  async function remove(identity: string, { plan, pod }: RunningRouter): Promise<void> {
    pod.markTerminating();
    await pod.drain();
    routers.delete(identity);
    factory.forget(pod);
    ports.release(plan);
    say(`gateway ${plan.namespace}/${plan.name}: stopped, no Gateway selects it any more`);
    onChange();
  }

  return {
    update: (plans) => turns.add(() => (stopped ? undefined : apply(plans))),
    pods: () => [...routers.values()].map(({ pod }) => pod),
    isSettled: turns.isIdle,
    async stop(graceMs) {
      stopped = true;
      await turns.done();
      await Promise.all([...routers.values()].map(({ pod }) => pod.stop(graceMs)));
    },
  };
}

/** What a proxy cannot change while it runs: another identity is another proxy. */
function identityOf({ namespace, name, labels, serviceAccount }: RouterPlan): string {
  return JSON.stringify([namespace, name, serviceAccount, Object.entries(labels).sort()]);
}
