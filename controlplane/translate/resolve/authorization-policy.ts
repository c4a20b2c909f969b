// Which AuthorizationPolicies stand before a workload, in the form that the authorization filter takes.
import {
  type AuthorizationOperationSpec,
  type AuthorizationRuleSpec,
  type AuthorizationSourceSpec,
  DRY_RUN_ANNOTATION,
} from "../../model/kinds/authorization-policy.ts";
import type { MeshObject } from "../../model/object.ts";
import type { MeshConfig, World } from "../../world/world.ts";
import type {
  Authorization,
  AuthorizationAction,
  AuthorizationCondition,
  AuthorizationConfiguration,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
} from "../ir/authorization.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { inEachTrustDomain } from "./trust-domains.ts";
import { selectPolicies } from "./workload-selector.ts";

type PolicyProxy = Pick<ProxyClass, "namespace" | "labels" | "ports">;

const ORDER: readonly AuthorizationAction[] = ["AUDIT", "DENY", "ALLOW"];

/**
 * Returns the policies that select the proxy: AUDIT, then DENY, then ALLOW, oldest first within an action. Ports are
 * completed by the ports the proxy binds in their place (a gateway's port 80 may be open at 8080), since a filter sees
 * only the latter.
 */
export function resolveAuthorization(world: World, proxy: PolicyProxy): readonly Authorization[] {
  const policies = selectPolicies(world, "AuthorizationPolicy", proxy).map((policy) =>
    authorizationOf(policy, proxy, world.mesh),
  );
  return ORDER.flatMap((action) => policies.filter((policy) => policy.action === action));
}

/** Returns the authorization filter's JSON configuration; see filters/authz/config.schema.json. */
export function authorizationConfiguration(policies: readonly Authorization[]): string {
  const configuration: AuthorizationConfiguration = { policies };
  return JSON.stringify(configuration);
}

/**
 * Returns what the policies mean for a connection that is not HTTP: an ALLOW rule with a field that only HTTP has is
 * dropped (it could never be checked), a DENY or AUDIT rule is kept without that field, and so is wider
 * (https://istio.io/latest/docs/concepts/security/#using-istio-authorization-on-plain-tcp-protocols).
 */
export function withoutHttp(policies: readonly Authorization[]): readonly Authorization[] {
  return policies.map((policy) => {
    const rules = policy.action !== "ALLOW" ? policy.rules : policy.rules.filter((rule) => !needsHttp(rule));
    return { ...policy, rules: rules.map(networkPartOf) };
  });
}

function authorizationOf(
  policy: MeshObject<"AuthorizationPolicy">,
  proxy: PolicyProxy,
  mesh: MeshConfig,
): Authorization {
  const { name, namespace, annotations } = policy.metadata;
  const action = policy.spec.action ?? "ALLOW";
  return {
    name: `${namespace}/${name}`,
    action,
    ...(action !== "AUDIT" && isTrue(annotations[DRY_RUN_ANNOTATION]) && { dryRun: true }),
    rules: (policy.spec.rules ?? []).map((rule) => ruleOf(rule, namespace, proxy, mesh)),
  };
}

/** As Go reads booleans, which is how Istio reads the annotation. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && ["1", "t", "T", "true", "TRUE", "True"].includes(text);
}

function ruleOf(
  rule: AuthorizationRuleSpec,
  policyNamespace: string,
  proxy: PolicyProxy,
  mesh: MeshConfig,
): AuthorizationRule {
  const ports: Completion = (values) => boundPorts(values, proxy);
  const principals: Completion = (values) => inEachTrustDomain(values, mesh);
  const accounts: Completion = (values) => qualifiedAccounts(values, policyNamespace);
  const byKey: Readonly<Record<string, Completion>> = {
    "destination.port": ports,
    "source.principal": principals,
    "source.serviceAccount": accounts,
  };
  return {
    ...(rule.from && { from: rule.from.map(({ source }) => sourceOf(source ?? {}, principals, accounts)) }),
    ...(rule.to && { to: rule.to.map(({ operation }) => operationOf(operation ?? {}, ports)) }),
    ...(rule.when && {
      when: rule.when.map(({ key, values, notValues }) => {
        const complete = (Object.hasOwn(byKey, key) && byKey[key]) || same;
        return {
          key,
          ...(values && { values: complete(values) }),
          ...(notValues && { notValues: complete(notValues) }),
        };
      }),
    }),
  };
}

/** Returns the values of a field with what they leave out. */
type Completion = (values: readonly string[]) => readonly string[];

function sourceOf(source: AuthorizationSourceSpec, principals: Completion, accounts: Completion): AuthorizationSource {
  return {
    ...source,
    ...(source.principals && { principals: principals(source.principals) }),
    ...(source.notPrincipals && { notPrincipals: principals(source.notPrincipals) }),
    ...(source.serviceAccounts && { serviceAccounts: accounts(source.serviceAccounts) }),
    ...(source.notServiceAccounts && { notServiceAccounts: accounts(source.notServiceAccounts) }),
  };
}

/** A service account without a namespace is one of the policy's namespace. */
function qualifiedAccounts(accounts: readonly string[], policyNamespace: string): readonly string[] {
  return accounts.map((account) => (account.includes("/") ? account : `${policyNamespace}/${account}`));
}

function same(values: readonly string[]): readonly string[] {
  return values;
}

function operationOf(operation: AuthorizationOperationSpec, ports: Completion): AuthorizationOperation {
  return {
    ...operation,
    ...(operation.ports && { ports: ports(operation.ports) }),
    ...(operation.notPorts && { notPorts: ports(operation.notPorts) }),
  };
}

function boundPorts(values: readonly string[], proxy: PolicyProxy): readonly string[] {
  const bound = proxy.ports
    .filter(({ port }) => values.includes(String(port)))
    .map(({ boundPort }) => String(boundPort));
  return [...new Set([...values, ...bound])];
}

const httpSourceFields = ["requestPrincipals", "notRequestPrincipals"] as const;
const httpOperationFields = ["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"] as const;

function needsHttp(rule: AuthorizationRule): boolean {
  return (
    (rule.from ?? []).some((source) => httpSourceFields.some((field) => (source[field]?.length ?? 0) > 0)) ||
    (rule.to ?? []).some((operation) => httpOperationFields.some((field) => (operation[field]?.length ?? 0) > 0)) ||
    (rule.when ?? []).some((condition) => !isNetworkCondition(condition))
  );
}

/** Keys of conditions that a connection can be checked for, HTTP or not. */
const networkConditions: ReadonlySet<string> = new Set([
  "source.ip",
  "remote.ip",
  "source.trustDomain",
  "source.namespace",
  "source.principal",
  "source.serviceAccount",
  "destination.ip",
  "destination.port",
  "connection.sni",
]);

/** Network filters have metadata too. */
function isNetworkCondition({ key }: AuthorizationCondition): boolean {
  return networkConditions.has(key) || key.startsWith("experimental.envoy.filters.");
}

function networkPartOf(rule: AuthorizationRule): AuthorizationRule {
  const when = rule.when?.filter(isNetworkCondition);
  return {
    ...(rule.from && {
      from: rule.from.map(({ requestPrincipals: _only, notRequestPrincipals: _http, ...source }) => source),
    }),
    ...(rule.to && {
      to: rule.to.map(({ ports, notPorts }) => ({ ...(ports && { ports }), ...(notPorts && { notPorts }) })),
    }),
    ...(when && when.length > 0 && { when }),
  };
}
