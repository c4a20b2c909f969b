// The reviews service, in three versions (REVIEWS_VERSION): v1 shows no stars, v2 black ones, v3 red ones.
import { hostname } from "node:os";
import { sendJson, sendNotFound, serve } from "./http-service.ts";
import { forwardedHeaders, getJson } from "./outbound.ts";

interface Ratings {
  readonly ratings: Readonly<Record<string, number>>;
}

const version = process.env["REVIEWS_VERSION"] ?? "v1";
const STAR_COLORS: Readonly<Record<string, string>> = { v2: "black", v3: "red" };
const starColor = STAR_COLORS[version];
const ratingsUrl = process.env["RATINGS_URL"] ?? "http://ratings:9080";

const REVIEWS = [
  { reviewer: "Mara K.", text: "I read it on the train and missed my stop. Twice." },
  { reviewer: "Olu B.", text: "The chapter on retries alone has saved me a weekend." },
];

serve(`reviews ${version}`, async ({ request, response, url }) => {
  if (url.pathname === "/health") return sendJson(response, 200, { status: `reviews ${version} is healthy` });
  const id = /^\/reviews\/(\d+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return sendNotFound(response, ["/reviews/{id}", "/health"]);
  const stars =
    starColor === undefined
      ? undefined
      : await getJson<Ratings>(`${ratingsUrl}/ratings/${id}`, forwardedHeaders(request.headers));
  const reviews = REVIEWS.map((review) => ({ ...review, ...ratingOf(review.reviewer, stars) }));
  return sendJson(response, 200, { id: Number(id), version, podname: process.env["POD_NAME"] ?? hostname(), reviews });
});

function ratingOf(reviewer: string, stars: Awaited<ReturnType<typeof getJson<Ratings>>> | undefined): object {
  if (stars === undefined) return {};
  if (stars.kind !== "answered")
    return { rating: { error: `ratings are unavailable (${stars.kind === "refused" ? stars.status : stars.reason})` } };
  return { rating: { stars: stars.body.ratings[reviewer] ?? 0, color: starColor } };
}
