// The product page: asks details and reviews, shows HTML at /productpage and JSON at /api/v1/products.
import type { IncomingMessage } from "node:http";
import { type Exchange, send, sendJson, sendNotFound, serve } from "./http-service.ts";
import { type CallResult, forwardedHeaders, getJson } from "./outbound.ts";
import { type Book, type Part, renderPage, type Reviews } from "./page.ts";

interface Ratings {
  readonly ratings: Readonly<Record<string, number>>;
}

const detailsUrl = process.env["DETAILS_URL"] ?? "http://details:9080";
const reviewsUrl = process.env["REVIEWS_URL"] ?? "http://reviews:9080";
const ratingsUrl = process.env["RATINGS_URL"] ?? "http://ratings:9080";
const PATHS = [
  "/productpage",
  "/login?user=NAME",
  "/logout",
  "/api/v1/products",
  "/api/v1/products/0",
  "/api/v1/products/0/reviews",
  "/api/v1/products/0/ratings",
  "/health",
];
const USER_NAME = /^[\w.@-]{1,64}$/;

serve("productpage", async (exchange) => {
  const { response, url } = exchange;
  switch (url.pathname) {
    case "/health":
      return sendJson(response, 200, { status: "productpage is healthy" });
    case "/":
      return redirect(exchange, undefined);
    case "/login":
      return redirect(
        exchange,
        `user=${encodeURIComponent(url.searchParams.get("user") ?? "")}; Path=/; HttpOnly; SameSite=Lax`,
      );
    case "/logout":
      return redirect(exchange, "user=; Path=/; Max-Age=0");
    case "/productpage":
      return showPage(exchange);
    case "/api/v1/products":
      return sendJson(response, 200, [{ id: 0, title: "A Field Guide to Meshes" }]);
    case "/api/v1/products/0":
      return relay(exchange, `${detailsUrl}/details/0`);
    case "/api/v1/products/0/reviews":
      return relay(exchange, `${reviewsUrl}/reviews/0`);
    case "/api/v1/products/0/ratings":
      return relay(exchange, `${ratingsUrl}/ratings/0`);
    default:
      return sendNotFound(response, PATHS);
  }
});

async function showPage({ request, response }: Exchange): Promise<void> {
  const user = userOf(request);
  const headers = headersFor(request, user);
  const [details, reviews] = await Promise.all([
    getJson<Book>(`${detailsUrl}/details/0`, headers),
    getJson<Reviews>(`${reviewsUrl}/reviews/0`, headers),
  ]);
  send(response, 200, "text/html; charset=utf-8", renderPage(user, toPart(details), toPart(reviews)));
}

async function relay({ request, response }: Exchange, url: string): Promise<void> {
  const result = await getJson<Ratings | Reviews | Book>(url, headersFor(request, userOf(request)));
  if (result.kind === "answered") return sendJson(response, 200, result.body);
  return sendJson(response, result.kind === "refused" ? result.status : 503, { error: result.reason });
}

function redirect({ response }: Exchange, cookie: string | undefined): void {
  response.writeHead(303, {
    location: "/productpage",
    ...(cookie === undefined ? {} : { "set-cookie": cookie }),
    "content-length": 0,
  });
  response.end();
}

// A demo has no passwords: who says a name in the cookie, or already comes with an end-user header, is that user.
function userOf(request: IncomingMessage): string | undefined {
  const header = request.headers["end-user"];
  if (typeof header === "string") return header;
  const raw = /(?:^|;\s*)user=([^;]*)/.exec(request.headers.cookie ?? "")?.[1];
  if (raw === undefined) return undefined;
  try {
    const name = decodeURIComponent(raw);
    return USER_NAME.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

function headersFor(request: IncomingMessage, user: string | undefined): Record<string, string> {
  return { ...forwardedHeaders(request.headers), ...(user === undefined ? {} : { "end-user": user }) };
}

function toPart<T>(result: CallResult<T>): Part<T> {
  if (result.kind === "answered") return { kind: "there", value: result.body };
  return { kind: "missing", why: result.kind === "refused" ? `${result.status} ${result.reason}` : result.reason };
}
