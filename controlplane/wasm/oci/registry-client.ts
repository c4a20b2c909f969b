// Speaks to one registry for one repository: asks, proves who one is when asked to, asks again.
// Protocol: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
// By hand: clients for Node open connections of their own, which no address policy sees.
import { type Failure, failed } from "../../model/failure.ts";
import type { HttpAnswer, HttpClient, HttpRequest, HttpResult } from "../fetch/http-client.ts";
import { type Challenge, parseChallenge } from "./challenge.ts";
import type { RegistryCredential } from "./credentials.ts";
import { type ImageReference, isLocalRegistry, registryApi } from "./reference.ts";

export interface RegistryOptions {
  readonly http: HttpClient;
  readonly image: Pick<ImageReference, "registry" | "repository">;
  readonly credential: RegistryCredential | undefined;
  /** Registries spoken to without TLS, beside those of this machine. */
  readonly plainRegistries: readonly string[];
  readonly deadline: AbortSignal;
  readonly actions: "pull" | "pull,push";
}

export interface RegistryRequest extends Pick<HttpRequest, "method" | "headers" | "body" | "maxBytes"> {
  /** Below `/v2/<repository>`, as in `/manifests/v1`; or a whole URL that the registry gave. */
  readonly path: string;
}

export interface RegistryClient {
  /** Returns the answer to a request, with the credential or token that the registry asked for. */
  request(request: RegistryRequest): Promise<HttpResult>;
}

const MAX_TOKEN_BYTES = 256 * 1_024;

/** Returns a client that keeps the token it got for its next requests. */
export function createRegistryClient(options: RegistryOptions): RegistryClient {
  const { http, image, credential, deadline } = options;
  const state = {
    api: registryApi(image.registry, options.plainRegistries),
    authorization: undefined as string | undefined,
  };
  const ask = ({ path, headers = {}, ...rest }: RegistryRequest): Promise<HttpResult> => {
    const url = urlOf(state.api, image.repository, path);
    const { authorization } = state;
    return http.request({
      ...rest,
      url,
      deadline,
      headers: { ...headers, ...(authorization !== undefined && isSameServer(url, state.api) && { authorization }) },
    });
  };
  return {
    async request(request) {
      let first = await ask(request);
      if (speaksTls(first) && isLocalRegistry(image.registry)) {
        state.api = state.api.replace(/^http:/, "https:");
        first = await ask(request);
      }
      const challenge = challengeOf(first, urlOf(state.api, image.repository, request.path));
      if (first.kind === "failed" || challenge === undefined) return first;
      const proof = await prove(challenge, options, state.api);
      if (proof.kind === "failed") return proof;
      if (proof.authorization === undefined || proof.authorization === state.authorization)
        return refused(first, credential);
      state.authorization = proof.authorization;
      const second = await ask(request);
      return second.kind === "answer" && (second.status === 401 || second.status === 403)
        ? refused(second, credential)
        : second;
    },
  };
}

function urlOf(api: string, repository: string, path: string): string {
  return path.startsWith("/") ? `${api}/${repository}${path}` : path;
}

function isSameServer(url: string, other: string): boolean {
  return new URL(url).origin === new URL(other).origin;
}

/** How servers that only speak TLS answer those that do not: one on this machine is tried without TLS first. */
function speaksTls(result: HttpResult): boolean {
  return (
    result.kind === "answer" &&
    result.status === 400 &&
    result.url.startsWith("http:") &&
    result.bytes.includes("HTTPS server")
  );
}

/** Only the registry itself may ask who we are, not where it redirected to. */
function challengeOf(result: HttpResult, url: string): Challenge | undefined {
  if (result.kind !== "answer" || result.status !== 401 || !isSameServer(result.url, url)) return undefined;
  return parseChallenge(result.headers["www-authenticate"]);
}

function refused({ status, url }: HttpAnswer, credential: RegistryCredential | undefined): HttpResult {
  const whose =
    credential === undefined ? "without a credential: name a pull secret for it" : "with the credential given";
  return failed("unauthorized", `${new URL(url).host} refuses access (${status}) ${whose}`);
}

type Proof = { readonly kind: "proof"; readonly authorization: string | undefined } | Failure;

async function prove(challenge: Challenge, options: RegistryOptions, api: string): Promise<Proof> {
  const { credential } = options;
  if (credential?.kind === "registry-token") return { kind: "proof", authorization: `Bearer ${credential.token}` };
  if (challenge.kind === "basic")
    return {
      kind: "proof",
      authorization: credential?.kind === "password" ? basic(credential.username, credential.password) : undefined,
    };
  return fetchToken(challenge, options, api);
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function fetchToken(
  { realm, service, scope }: Extract<Challenge, { kind: "bearer" }>,
  options: RegistryOptions,
  api: string,
): Promise<Proof> {
  const { http, image, credential, deadline, actions } = options;
  const encrypted = api.startsWith("https:");
  if (!URL.canParse(realm) || !(encrypted ? ["https:"] : ["http:", "https:"]).includes(new URL(realm).protocol)) {
    const to = `to ${JSON.stringify(realm)}, which is no ${encrypted ? "https" : "http"} URL`;
    return failed("no-token", `${image.registry} sends for a token ${to}`);
  }
  const wanted = {
    ...(service !== undefined && { service }),
    scope: scope ?? `repository:${image.repository}:${actions}`,
  };
  const answer = await http.request({
    ...tokenRequest(realm, wanted, credential),
    maxBytes: MAX_TOKEN_BYTES,
    deadline,
  });
  if (answer.kind === "failed") return answer;
  if (answer.status !== 200)
    return failed("no-token", `${new URL(realm).host} gave no token for ${image.repository} (${answer.status})`);
  const token = tokenOf(answer.bytes);
  return token === undefined
    ? failed("no-token", `${new URL(realm).host} answered without a token`)
    : { kind: "proof", authorization: `Bearer ${token}` };
}

function tokenRequest(
  realm: string,
  wanted: Readonly<Record<string, string>>,
  credential: RegistryCredential | undefined,
): Pick<HttpRequest, "method" | "url" | "headers" | "body"> {
  if (credential?.kind === "identity-token") {
    const form = new URLSearchParams({
      ...wanted,
      grant_type: "refresh_token",
      client_id: "scrim",
      refresh_token: credential.token,
    });
    return {
      method: "POST",
      url: realm,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: Buffer.from(form.toString()),
    };
  }
  const url = new URL(realm);
  for (const [name, value] of Object.entries(wanted)) url.searchParams.set(name, value);
  return {
    url: url.href,
    headers: credential?.kind === "password" ? { authorization: basic(credential.username, credential.password) } : {},
  };
}

function tokenOf(bytes: Buffer): string | undefined {
  try {
    const answer: unknown = JSON.parse(bytes.toString("utf8"));
    const { token, access_token: access } = (typeof answer === "object" && answer !== null ? answer : {}) as Record<
      string,
      unknown
    >;
    const found = token ?? access;
    return typeof found === "string" && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
