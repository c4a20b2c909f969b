// Authorization of connections that are not HTTP, by Envoy's own RBAC: policies as principals (who) and permissions (what).
import type { CidrRange, Filter, Permission, Policy, Principal, RBAC, StringMatcher } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { Authorization, AuthorizationCondition, AuthorizationOperation, AuthorizationRule, AuthorizationSource } from "../ir/authorization.ts";

/** Returns the filters before a TCP proxy: DENY first, then ALLOW; none of a kind without policies of it. A policy's rule is named `<namespace>/<name>[<rule>]` in logs. */
export function buildNetworkAuthorization(policies: readonly Authorization[]): readonly Filter[] {
  return (["DENY", "ALLOW"] as const).flatMap((action) => {
    const ofAction = policies.filter((policy) => policy.action === action);
    if (ofAction.length === 0) return [];
    return [{ name: "envoy.filters.network.rbac", typedConfig: packAny("NetworkRbac", { statPrefix: "tcp.", rules: rbacOf(action, ofAction) }) }];
  });
}

function rbacOf(action: "ALLOW" | "DENY", policies: readonly Authorization[]): RBAC {
  const rules = policies.flatMap(({ name, rules }) => rules.map((rule, index) => [`${name}[${index}]`, policyOf(rule)] as const));
  return { action, policies: Object.fromEntries(rules) };
}

function policyOf(rule: AuthorizationRule): Policy {
  const when = rule.when ?? [];
  const permissions = [...anyOfPermissions((rule.to ?? []).map(operationPermission)), ...when.flatMap(conditionPermissions)];
  const principals = [...anyOfPrincipals((rule.from ?? []).map(sourcePrincipal)), ...when.flatMap(conditionPrincipals)];
  return { permissions: [allPermissions(permissions)], principals: [allPrincipals(principals)] };
}

function operationPermission(operation: AuthorizationOperation): Permission {
  return allPermissions(permissionsOf(operation.ports, operation.notPorts, destinationPort));
}

function conditionPermissions({ key, values, notValues }: AuthorizationCondition): readonly Permission[] {
  switch (key) {
    case "destination.port": return permissionsOf(values, notValues, destinationPort);
    case "destination.ip": return permissionsOf(values, notValues, (value) => ({ destinationIp: cidrOf(value) }));
    case "connection.sni": return permissionsOf(values, notValues, (value) => ({ requestedServerName: textMatcher(value) }));
    default: return [];
  }
}

function sourcePrincipal(source: AuthorizationSource): Principal {
  return allPrincipals([
    ...principalsOf(source.principals, source.notPrincipals, principalNamed),
    ...principalsOf(source.namespaces, source.notNamespaces, inNamespace),
    ...principalsOf(source.serviceAccounts, source.notServiceAccounts, withServiceAccount),
    ...principalsOf(source.ipBlocks, source.notIpBlocks, fromDirectIp),
    ...principalsOf(source.remoteIpBlocks, source.notRemoteIpBlocks, fromRemoteIp),
  ]);
}

function conditionPrincipals({ key, values, notValues }: AuthorizationCondition): readonly Principal[] {
  switch (key) {
    case "source.principal": return principalsOf(values, notValues, principalNamed);
    case "source.namespace": return principalsOf(values, notValues, inNamespace);
    case "source.serviceAccount": return principalsOf(values, notValues, withServiceAccount);
    case "source.ip": return principalsOf(values, notValues, fromDirectIp);
    case "remote.ip": return principalsOf(values, notValues, fromRemoteIp);
    default: return [];
  }
}

// Single matchers. A peer without a certificate has no name, and so matches none of them.

function principalNamed(pattern: string): Principal {
  if (pattern === "*") return named({ safeRegex: { regex: ".+" } });
  if (pattern.startsWith("*")) return named({ suffix: pattern.slice(1) });
  return named(pattern.endsWith("*") ? { prefix: `spiffe://${pattern.slice(0, -1)}` } : { exact: `spiffe://${pattern}` });
}

function inNamespace(pattern: string): Principal {
  return named({ safeRegex: { regex: `spiffe://[^/]+/ns/${segmentRegex(pattern)}/sa/[^/]+` } });
}

function withServiceAccount(pattern: string): Principal {
  const [namespace = "", account = ""] = pattern.split("/");
  return named({ safeRegex: { regex: `spiffe://[^/]+/ns/${segmentRegex(namespace)}/sa/${segmentRegex(account)}` } });
}

function fromDirectIp(block: string): Principal {
  return { directRemoteIp: cidrOf(block) };
}

function fromRemoteIp(block: string): Principal {
  return { remoteIp: cidrOf(block) };
}

function destinationPort(value: string): Permission {
  return { destinationPort: Number(value) };
}

function named(principalName: StringMatcher): Principal {
  return { authenticated: { principalName } };
}

function textMatcher(pattern: string): StringMatcher {
  if (pattern === "*") return { safeRegex: { regex: ".+" } };
  if (pattern.startsWith("*")) return { suffix: pattern.slice(1) };
  return pattern.endsWith("*") ? { prefix: pattern.slice(0, -1) } : { exact: pattern };
}

/** One segment of an identity's path; dots and the like stand for themselves. */
function segmentRegex(pattern: string): string {
  return pattern.split("*").map((literal) => literal.replace(/[^A-Za-z0-9_-]/g, "\\$&")).join("[^/]*");
}

function cidrOf(block: string): CidrRange {
  const [addressPrefix = "", length] = block.split("/");
  return { addressPrefix, prefixLen: length === undefined ? (addressPrefix.includes(":") ? 128 : 32) : Number(length) };
}

// Values of one field are alternatives; fields must all hold.

function permissionsOf(values: readonly string[] | undefined, notValues: readonly string[] | undefined, matcher: (value: string) => Permission): readonly Permission[] {
  return [...anyOfPermissions((values ?? []).map(matcher)), ...anyOfPermissions((notValues ?? []).map(matcher)).map((permission) => ({ notRule: permission }))];
}

function principalsOf(values: readonly string[] | undefined, notValues: readonly string[] | undefined, matcher: (value: string) => Principal): readonly Principal[] {
  return [...anyOfPrincipals((values ?? []).map(matcher)), ...anyOfPrincipals((notValues ?? []).map(matcher)).map((principal) => ({ notId: principal }))];
}

function anyOfPermissions(rules: readonly Permission[]): readonly Permission[] {
  return rules.length > 1 ? [{ orRules: { rules } }] : rules;
}

function anyOfPrincipals(ids: readonly Principal[]): readonly Principal[] {
  return ids.length > 1 ? [{ orIds: { ids } }] : ids;
}

function allPermissions(rules: readonly Permission[]): Permission {
  const [first = { any: true }, ...rest] = rules;
  return rest.length === 0 ? first : { andRules: { rules } };
}

function allPrincipals(ids: readonly Principal[]): Principal {
  const [first = { any: true }, ...rest] = ids;
  return rest.length === 0 ? first : { andIds: { ids } };
}
