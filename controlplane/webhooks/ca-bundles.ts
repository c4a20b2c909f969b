// Consumes: the root by which the webhooks' certificate is known, and the webhook configurations of this revision.
// Produces: that root in each of them (caBundle), and `failurePolicy: Fail` where it was Ignore until then.
// Never does: touch webhooks that lead to another Service, or make a configuration that is not there.
import type { ApiAnswer, ApiClient } from "../kubernetes/api-client.ts";
import { describeAnswer } from "../kubernetes/status.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { PatchOperation } from "./admission.ts";
import { serviceName } from "./configurations.ts";

/** Whose webhooks are meant. */
export interface WebhookService {
  /** "" for the one without a name. */
  readonly revision: string;
  readonly namespace: string;
}

const COLLECTIONS = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] as const;
const GROUP = "/apis/admissionregistration.k8s.io/v1";

/** Writes the root wherever it is not yet; resolves to what could not be done, a sentence each. */
export async function writeCaBundles(
  client: Pick<ApiClient, "request">,
  service: WebhookService,
  rootPem: string,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const collection of COLLECTIONS) {
    const listed = await client.request({ method: "GET", path: `${GROUP}/${collection}` });
    if (listed.kind === "failed" || listed.status !== 200) {
      problems.push(`${collection} cannot be read: ${described(listed)}`);
      continue;
    }
    for (const configuration of itemsOf(listed.body)) {
      const patch = caBundlePatch(configuration, service, rootPem);
      const { name } = metadataOf(configuration);
      if (patch.length === 0) continue;
      const path = `${GROUP}/${collection}/${encodeURIComponent(String(name))}`;
      const answer = await client.request({
        ...{ method: "PATCH", path, body: patch, contentType: "application/json-patch+json" },
      });
      // Somebody else changed it meanwhile, or took it away: the next time we see.
      if (answer.kind === "answer" && [200, 404, 409, 422].includes(answer.status)) continue;
      problems.push(`${collection}/${String(name)} cannot be given the root certificate: ${described(answer)}`);
    }
  }
  return problems;
}

type Fields = Readonly<Record<string, unknown>>;

/** Returns what is to be changed of a configuration, as it is at this version; nothing where all is right. */
export function caBundlePatch(
  configuration: Fields,
  { revision, namespace }: WebhookService,
  rootPem: string,
): readonly (PatchOperation | { readonly op: "test"; readonly path: string; readonly value: unknown })[] {
  const wanted = Buffer.from(rootPem).toString("base64");
  const webhooks: readonly unknown[] = Array.isArray(configuration["webhooks"]) ? configuration["webhooks"] : [];
  const isValidating = configuration["kind"] === "ValidatingWebhookConfiguration";
  const changes = webhooks.flatMap((webhook, index): readonly PatchOperation[] => {
    const { clientConfig, failurePolicy } = isJsonObject(webhook) ? webhook : {};
    const { service, caBundle } = isJsonObject(clientConfig) ? clientConfig : {};
    if (!isJsonObject(service) || service["name"] !== serviceName(revision) || service["namespace"] !== namespace)
      return [];
    const path = `/webhooks/${index}`;
    return [
      ...(caBundle === wanted ? [] : [{ op: "add", path: `${path}/clientConfig/caBundle`, value: wanted } as const]),
      ...(isValidating && failurePolicy === "Ignore"
        ? [{ op: "replace", path: `${path}/failurePolicy`, value: "Fail" } as const]
        : []),
    ];
  });
  const { resourceVersion } = metadataOf(configuration);
  return changes.length === 0
    ? []
    : [{ op: "test", path: "/metadata/resourceVersion", value: resourceVersion }, ...changes];
}

function described(answer: ApiAnswer): string {
  return answer.kind === "failed" ? answer.message : describeAnswer(answer);
}

function itemsOf(list: unknown): readonly Fields[] {
  const { kind, items } = isJsonObject(list) ? list : {};
  // Items of a list do not say what they are.
  const ofList = String(kind).replace(/List$/, "");
  return Array.isArray(items) ? items.filter(isJsonObject).map((item) => ({ kind: ofList, ...item })) : [];
}

function metadataOf({ metadata }: Fields): Fields {
  return isJsonObject(metadata) ? metadata : {};
}
