// Who may do what: IR of policies that select a proxy, in the shapes that the authorization filter reads. Values are as
// in Istio's AuthorizationPolicy; what each field means stands in filters/authz/config.schema.ts.
import type {
  conditionSchema,
  configSchema,
  operationSchema,
  policySchema,
  ruleSchema,
  sourceSchema,
} from "../../../filters/authz/config.schema.ts";
import type { SpecFrom } from "../../model/schema.ts";

/** What the filter is told. */
export type AuthorizationConfiguration = SpecFrom<typeof configSchema>;

export type AuthorizationSource = SpecFrom<typeof sourceSchema>;
export type AuthorizationOperation = SpecFrom<typeof operationSchema>;
export type AuthorizationCondition = SpecFrom<typeof conditionSchema>;

/** `from` entries are alternatives, so are `to` entries; all conditions of `when` must hold. */
export type AuthorizationRule = SpecFrom<typeof ruleSchema>;

type Policy = SpecFrom<typeof policySchema>;
export type AuthorizationAction = Policy["action"];

/** A policy, with its rules even where there are none. */
export type Authorization = Policy & Required<Pick<Policy, "rules">>;
