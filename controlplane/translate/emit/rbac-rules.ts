// consumes: authorization policies
// produces: Envoy's RBAC with the same meaning, for HTTP and for connections
// never does: decide whether a policy can be expressed so (resolve/native-authorization.ts does)
import type { Permission, Policy, Principal, RBAC } from "../../../protos/build/envoy.ts";
import type {
  Authorization,
  AuthorizationAction,
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
} from "../ir/authorization.ts";
import {
  claimMatches,
  fromDirectIp,
  fromRemoteIp,
  inNamespace,
  ofTrustDomain,
  metadataMatches,
  principalNamed,
  requestPrincipalNamed,
  toHost,
  toIp,
  toPath,
  toPort,
  toServerName,
  withHeader,
  withMethod,
  withServiceAccount,
} from "./rbac-matchers.ts";
import type { Reading } from "./rbac-patterns.ts";

/** What enforces and what only tells, of one action. */
export interface RbacRules {
  readonly rules?: RBAC;
  readonly shadowRules?: RBAC;
  readonly shadowRulesStatPrefix?: string;
}

const actions = { ALLOW: "ALLOW", DENY: "DENY", AUDIT: "LOG" } as const;

/**
 * Returns the rules of one action: nothing without policies of it. A policy's rule is named
 * `<namespace>/<name>[<rule>]` in logs and details.
 */
export function buildRbac(action: AuthorizationAction, policies: readonly Authorization[]): RbacRules {
  const ofAction = policies.filter((policy) => policy.action === action);
  const enforced = ofAction.filter((policy) => policy.dryRun !== true);
  const onTrial = ofAction.filter((policy) => policy.dryRun === true);
  return {
    ...(enforced.length > 0 && { rules: rbacOf(action, enforced) }),
    // Istio's prefixes: its dashboards know them.
    ...(onTrial.length > 0 && {
      shadowRules: rbacOf(action, onTrial),
      shadowRulesStatPrefix: `istio_dry_run_${action.toLowerCase()}_`,
    }),
  };
}

function rbacOf(action: AuthorizationAction, policies: readonly Authorization[]): RBAC {
  const permits = action === "ALLOW";
  return {
    action: actions[action],
    policies: Object.fromEntries(
      policies.flatMap(({ name, rules }) =>
        rules.map((rule, index) => [`${name}[${index}]`, policyOf(rule, permits)] as const),
      ),
    ),
  };
}

function policyOf(rule: AuthorizationRule, permits: boolean): Policy {
  const when = rule.when ?? [];
  const permissions = [
    ...anyOfPermissions((rule.to ?? []).map((operation) => operationPermission(operation, permits))),
    ...when.flatMap((condition) => conditionPermissions(condition, permits)),
  ];
  const principals = [
    ...anyOfPrincipals((rule.from ?? []).map((source) => sourcePrincipal(source, permits))),
    ...when.flatMap((condition) => conditionPrincipals(condition, permits)),
  ];
  return { permissions: [allPermissions(permissions)], principals: [allPrincipals(principals)] };
}

function operationPermission(
  { ports, notPorts, methods, notMethods, hosts, notHosts, paths, notPaths }: AuthorizationOperation,
  permits: boolean,
): Permission {
  return allPermissions([
    ...permissionsOf(ports, notPorts, permits, toPort),
    ...permissionsOf(methods, notMethods, permits, withMethod),
    ...permissionsOf(hosts, notHosts, permits, toHost),
    ...permissionsOf(paths, notPaths, permits, toPath),
  ]);
}

function conditionPermissions(
  { key, values, notValues }: AuthorizationCondition,
  permits: boolean,
): readonly Permission[] {
  const header = /^request\.headers\[(.+)\]$/.exec(key)?.[1];
  if (header !== undefined)
    return permissionsOf(values, notValues, permits, (value, reading) =>
      withHeader(header.toLowerCase(), value, reading),
    );
  switch (key) {
    case "destination.port":
      return permissionsOf(values, notValues, permits, toPort);
    case "destination.ip":
      return permissionsOf(values, notValues, permits, toIp);
    case "connection.sni":
      return permissionsOf(values, notValues, permits, toServerName);
    default:
      return [];
  }
}

function sourcePrincipal(source: AuthorizationSource, permits: boolean): Principal {
  return allPrincipals([
    ...principalsOf(source.principals, source.notPrincipals, principalNamed),
    ...principalsOf(source.requestPrincipals, source.notRequestPrincipals, requestPrincipalNamed),
    ...principalsOf(source.trustDomains, source.notTrustDomains, ofTrustDomain),
    ...readPrincipals(source.namespaces, source.notNamespaces, permits, inNamespace),
    ...readPrincipals(source.serviceAccounts, source.notServiceAccounts, permits, withServiceAccount),
    ...principalsOf(source.ipBlocks, source.notIpBlocks, fromDirectIp),
    ...principalsOf(source.remoteIpBlocks, source.notRemoteIpBlocks, fromRemoteIp),
  ]);
}

function conditionPrincipals(
  { key, values, notValues }: AuthorizationCondition,
  permits: boolean,
): readonly Principal[] {
  const claim = claimNames(key);
  if (claim !== undefined)
    return readPrincipals(values, notValues, permits, (value, reading) => claimMatches(claim, value, reading));
  const [, filter, name] = /^experimental\.(envoy\.filters\.[^[]+)\[(.+)\]$/.exec(key) ?? [];
  if (filter !== undefined && name !== undefined)
    return principalsOf(values, notValues, (value) => metadataMatches(filter, name, value));
  switch (key) {
    case "source.principal":
      return principalsOf(values, notValues, principalNamed);
    case "source.namespace":
      return readPrincipals(values, notValues, permits, inNamespace);
    case "source.trustDomain":
      return principalsOf(values, notValues, ofTrustDomain);
    case "source.serviceAccount":
      return readPrincipals(values, notValues, permits, withServiceAccount);
    case "source.ip":
      return principalsOf(values, notValues, fromDirectIp);
    case "remote.ip":
      return principalsOf(values, notValues, fromRemoteIp);
    case "request.auth.principal":
      return principalsOf(values, notValues, requestPrincipalNamed);
    default:
      return [];
  }
}

function claimNames(key: string): readonly string[] | undefined {
  if (key === "request.auth.audiences") return ["aud"];
  if (key === "request.auth.presenter") return ["azp"];
  return /^request\.auth\.claims\[(.+)\]$/.exec(key)?.[1]?.split("][");
}

// Values of one field are alternatives; fields must all hold. What is negated is read the other way round: none of the
// readings may match what lets in.

function permissionsOf(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  permits: boolean,
  matcher: (value: string, reading: Reading) => Permission,
): readonly Permission[] {
  const [plain, negated]: readonly [Reading, Reading] = permits ? ["strict", "loose"] : ["loose", "strict"];
  return [
    ...anyOfPermissions((values ?? []).map((value) => matcher(value, plain))),
    ...anyOfPermissions((notValues ?? []).map((value) => matcher(value, negated))).map((permission) => ({
      notRule: permission,
    })),
  ];
}

function readPrincipals(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  permits: boolean,
  matcher: (value: string, reading: Reading) => Principal,
): readonly Principal[] {
  const [plain, negated]: readonly [Reading, Reading] = permits ? ["strict", "loose"] : ["loose", "strict"];
  return [
    ...principalsOf(values, undefined, (value) => matcher(value, plain)),
    ...principalsOf(undefined, notValues, (value) => matcher(value, negated)),
  ];
}

function principalsOf(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  matcher: (value: string) => Principal,
): readonly Principal[] {
  return [
    ...anyOfPrincipals((values ?? []).map(matcher)),
    ...anyOfPrincipals((notValues ?? []).map(matcher)).map((principal) => ({ notId: principal })),
  ];
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
