// AuthorizationPolicy: who may call what.
// Field facts: https://istio.io/latest/docs/reference/config/security/authorization-policy/
import {
  anyText,
  choice,
  fields,
  ipBlock,
  listOf,
  matchLabelsSelector,
  notYet,
  opt,
  policyTargets,
  type SpecFrom,
  text,
} from "../schema.ts";

const names = () => opt(listOf(text()));
const blocks = () => opt(listOf(ipBlock()));

const source = fields(
  {
    principals: names(),
    notPrincipals: names(),
    requestPrincipals: names(),
    notRequestPrincipals: names(),
    trustDomains: names(),
    notTrustDomains: names(),
    namespaces: names(),
    notNamespaces: names(),
    serviceAccounts: names(),
    notServiceAccounts: names(),
    ipBlocks: blocks(),
    notIpBlocks: blocks(),
    remoteIpBlocks: blocks(),
    notRemoteIpBlocks: blocks(),
  },
  { notEmpty: true },
);

const operation = fields(
  {
    hosts: names(),
    notHosts: names(),
    ports: names(),
    notPorts: names(),
    methods: names(),
    notMethods: names(),
    paths: names(),
    notPaths: names(),
  },
  { notEmpty: true },
);

const condition = fields({ key: text(), values: names(), notValues: names() });

const rule = fields({
  from: opt(listOf(fields({ source: opt(source) }))),
  to: opt(listOf(fields({ operation: opt(operation) }))),
  when: opt(listOf(condition)),
});

/** The schema of an AuthorizationPolicy's spec. No action means ALLOW. */
export const authorizationPolicySchema = fields(
  {
    selector: opt(matchLabelsSelector),
    action: opt(choice(["ALLOW", "DENY", "AUDIT"], { notYet: ["CUSTOM"] })),
    rules: opt(listOf(rule)),
    provider: notYet(fields({ name: opt(anyText()) })),
    ...policyTargets,
  },
  { atMostOneOf: ["selector", "targetRefs", "targetRef"] },
);

/** Istio's annotation of a policy on trial: its decision is told and has no effect. */
export const DRY_RUN_ANNOTATION = "istio.io/dry-run";

export type AuthorizationPolicySpec = SpecFrom<typeof authorizationPolicySchema>;
export type AuthorizationRuleSpec = SpecFrom<typeof rule>;
export type AuthorizationSourceSpec = SpecFrom<typeof source>;
export type AuthorizationOperationSpec = SpecFrom<typeof operation>;
export type AuthorizationConditionSpec = SpecFrom<typeof condition>;
