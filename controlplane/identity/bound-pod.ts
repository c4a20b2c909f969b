// The pod that a service account's token was made for: what the API server says of who has such a token
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).
import type { ReviewedUser } from "../kubernetes/token-review.ts";
import { type Failure, failed } from "../model/failure.ts";
import { identityOf } from "../model/spiffe.ts";
import type { ProxyIdentity } from "../xds/node.ts";

export interface BoundPod {
  readonly kind: "pod";
  readonly identity: ProxyIdentity;
  /** Another pod of the same name has another. */
  readonly uid: string;
  /** Undefined where the cluster does not say it in its tokens. */
  readonly nodeName: string | undefined;
}

const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";
const NODE_NAME = "authentication.kubernetes.io/node-name";
const NAME = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Returns the pod; a failure for people, for other accounts, and for a token that is no pod's. */
export function podOfUser({ name, groups, extra }: ReviewedUser): BoundPod | Failure<"unproven"> {
  const [, namespace, serviceAccount] = NAME.exec(name) ?? [];
  if (namespace === undefined || serviceAccount === undefined || !groups.includes("system:serviceaccounts"))
    return failed("unproven", "the token is no service account's");
  if (identityOf("cluster.local", namespace, serviceAccount) === undefined)
    return failed("unproven", "the token's service account has a name that no identity can have");
  const [pod, uid, nodeName] = [POD_NAME, POD_UID, NODE_NAME].map((key) => only(extra[key]));
  if (pod === undefined || uid === undefined)
    return failed("unproven", "the token is bound to no pod: proxies need a projected one");
  return { kind: "pod", identity: { namespace, serviceAccount, pod }, uid, nodeName };
}

function only(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 && values[0] !== "" ? values[0] : undefined;
}
