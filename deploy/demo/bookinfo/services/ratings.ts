// The ratings service: stars for each reviewer. POST /ratings/{id} stores new ones, in memory only.
import type { IncomingMessage } from "node:http";
import { sendJson, sendNotFound, serve } from "./http-service.ts";

const MAX_BODY_BYTES = 4_096;
const ratings = new Map<number, Record<string, number>>();
const DEFAULT_RATINGS = { "Mara K.": 5, "Olu B.": 4 };

serve("ratings", async ({ request, response, url }) => {
  if (url.pathname === "/health") return sendJson(response, 200, { status: "ratings is healthy" });
  const idText = /^\/ratings\/(\d+)$/.exec(url.pathname)?.[1];
  if (idText === undefined) return sendNotFound(response, ["/ratings/{id}", "/health"]);
  const id = Number(idText);
  if (request.method === "POST") {
    const given = parseRatings(await readBody(request));
    if (given === undefined) return sendJson(response, 400, { error: "send an object of reviewer: stars (1 to 5)" });
    ratings.set(id, given);
  }
  return sendJson(response, 200, { id, ratings: ratings.get(id) ?? DEFAULT_RATINGS });
});

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString("utf8");
    if (text.length > MAX_BODY_BYTES) return "";
  }
  return text;
}

function parseRatings(text: string): Record<string, number> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value);
    return entries.every(([, stars]) => Number.isInteger(stars) && stars >= 1 && stars <= 5)
      ? Object.fromEntries(entries)
      : undefined;
  } catch {
    return undefined;
  }
}
