// The details service: facts about a book.
import { sendJson, sendNotFound, serve } from "./http-service.ts";

const BOOK = {
  title: "A Field Guide to Meshes",
  author: "R. Tanaka",
  year: 2024,
  pages: 212,
  language: "English",
  publisher: "Harbour Lane",
  isbn: "978-0-0000-0000-2",
};

serve("details", ({ response, url }) => {
  if (url.pathname === "/health") return sendJson(response, 200, { status: "details is healthy" });
  const id = /^\/details\/(\d+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return sendNotFound(response, ["/details/{id}", "/health"]);
  return sendJson(response, 200, { id: Number(id), ...BOOK });
});
