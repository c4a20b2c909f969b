// What somebody may do, asked of the cluster
// (https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/subject-access-review-v1/).
import { type Failure, failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { ApiClient } from "./api-client.ts";
import { describeAnswer } from "./status.ts";
import type { ReviewedUser } from "./token-review.ts";

const PATH = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/** Resolves to whether a user may read this path, by the cluster's rules for `nonResourceURLs`. */
export async function mayGet(
  api: Pick<ApiClient, "request">,
  { name, uid, groups, extra }: ReviewedUser,
  path: string,
  timeoutMs: number,
): Promise<{ readonly kind: "access"; readonly isAllowed: boolean } | Failure<"unreachable">> {
  const answer = await api.request({
    ...{ method: "POST", path: PATH, timeoutMs },
    body: {
      ...{ apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" },
      spec: { nonResourceAttributes: { path, verb: "get" }, ...{ user: name, uid, groups, extra } },
    },
  });
  if (answer.kind === "failed") return answer;
  if (answer.status !== 201) return failed("unreachable", `no access can be reviewed: ${describeAnswer(answer)}`);
  const status = isJsonObject(answer.body) ? answer.body["status"] : undefined;
  return { kind: "access", isAllowed: isJsonObject(status) && status["allowed"] === true };
}
