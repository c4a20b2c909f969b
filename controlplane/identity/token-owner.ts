// Whose a service account's token is: what the API server says of who has it
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).
import type { ReviewedUser } from "../kubernetes/token-review.ts";
import { type Failure, failed } from "../model/failure.ts";
import { identityOf } from "../model/spiffe.ts";
import type { ProxyIdentity } from "../xds/node.ts";

export interface TokenOwner {
  readonly kind: "owner";
  /** Without the name of a pod it may ask, as istioctl does, and is no proxy. */
  readonly identity: ProxyIdentity;
  /** The pod that the token was made for. */
  readonly boundTo?: BoundPod;
}

export interface BoundPod {
  /** Another pod of the same name has another. */
  readonly uid: string;
  /** Undefined where the cluster does not say it in its tokens. */
  readonly nodeName: string | undefined;
}

const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";
const NODE_NAME = "authentication.kubernetes.io/node-name";
const NAME = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Returns the account, and its pod where the token was made for one; a failure for people and other accounts. */
export function tokenOwner({ name, groups, extra }: ReviewedUser): TokenOwner | Failure<"unproven"> {
  const [, namespace, serviceAccount] = NAME.exec(name) ?? [];
  if (namespace === undefined || serviceAccount === undefined || !groups.includes("system:serviceaccounts"))
    return failed("unproven", "the token is no service account's");
  if (identityOf("cluster.local", namespace, serviceAccount) === undefined)
    return failed("unproven", "the token's service account has a name that no identity can have");
  const [pod, uid, nodeName] = [POD_NAME, POD_UID, NODE_NAME].map((key) => only(extra[key]));
  if (pod === undefined || uid === undefined)
    return { kind: "owner", identity: { namespace, serviceAccount, pod: "" } };
  return { kind: "owner", identity: { namespace, serviceAccount, pod }, boundTo: { uid, nodeName } };
}

function only(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 && values[0] !== "" ? values[0] : undefined;
}
