// Whose a token is, asked of the cluster
// (https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/).
import { type Failure, failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { ApiClient } from "./api-client.ts";
import { describeAnswer } from "./status.ts";

/** Who proved to be who. */
export interface ReviewedUser {
  readonly kind: "user";
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** `unauthenticated`: the token proves nothing for these audiences; `unreachable`: nobody said. */
export type TokenReview = ReviewedUser | Failure<"unauthenticated" | "unreachable">;

const PATH = "/apis/authentication.k8s.io/v1/tokenreviews";

/** Asks whose token it is. Without audiences it is one for the API server itself. */
export async function reviewToken(
  api: Pick<ApiClient, "request">,
  token: string,
  audiences: readonly string[],
  timeoutMs: number,
): Promise<TokenReview> {
  const answer = await api.request({
    ...{ method: "POST", path: PATH, timeoutMs },
    body: {
      ...{ apiVersion: "authentication.k8s.io/v1", kind: "TokenReview" },
      spec: { token, ...(audiences.length > 0 && { audiences }) },
    },
  });
  if (answer.kind === "failed") return answer;
  if (answer.status !== 201) return failed("unreachable", `no token can be reviewed: ${describeAnswer(answer)}`);
  const status = isJsonObject(answer.body) && isJsonObject(answer.body["status"]) ? answer.body["status"] : {};
  if (status["authenticated"] !== true) return failed("unauthenticated", "the cluster does not know the token");
  // A server that knows nothing of audiences answers for its own.
  const meant = textsIn(status["audiences"]);
  if (audiences.length > 0 && !audiences.some((audience) => meant.includes(audience)))
    return failed("unauthenticated", `the token is not for ${audiences.join(" or ")}`);
  const user = isJsonObject(status["user"]) ? status["user"] : {};
  const extra = isJsonObject(user["extra"]) ? user["extra"] : {};
  return {
    ...{ kind: "user", name: textOf(user["username"]), uid: textOf(user["uid"]), groups: textsIn(user["groups"]) },
    extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, textsIn(values)])),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}
