// The product page as HTML. Pure: data in, text out; every value is escaped.

export interface Book {
  readonly title: string;
  readonly author: string;
  readonly year: number;
  readonly pages: number;
  readonly language: string;
  readonly publisher: string;
  readonly isbn: string;
}
export interface Review {
  readonly reviewer: string;
  readonly text: string;
  readonly rating?: { readonly stars?: number; readonly color?: string; readonly error?: string };
}
export interface Reviews {
  readonly version: string;
  readonly podname: string;
  readonly reviews: readonly Review[];
}

/** A part of the page: what was fetched, or the sentence to show instead. */
export type Part<T> =
  | { readonly kind: "there"; readonly value: T }
  | { readonly kind: "missing"; readonly why: string };

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: #f6f4ef; color: #222 }
  header {
    background: #22444e;
    color: #fff;
    padding: 1rem 2rem;
    display: flex;
    justify-content: space-between;
    align-items: baseline;
  }
  header a { color: #cfe8e8 }
  main {
    max-width: 60rem;
    margin: 2rem auto;
    padding: 0 2rem;
    display: grid;
    grid-template-columns: 1fr 2fr;
    gap: 2rem;
  }
  section { background: #fff; border-radius: 8px; padding: 1rem 1.5rem; box-shadow: 0 1px 3px #0002 }
  h1 { font-size: 1.3rem; margin: 0 }
  h2 { font-size: 1.1rem }
  dt { color: #666; font-size: .85rem }
  dd { margin: 0 0 .5rem }
  blockquote { margin: 0 0 1rem; padding-left: 1rem; border-left: 3px solid #cfe8e8 }
  .black { color: #222 }
  .red { color: #c0272d }
  .missing { color: #8a5a00 }
  footer { text-align: center; color: #666; font-size: .85rem; padding: 1rem }`;

/** Returns the whole page. */
export function renderPage(user: string | undefined, book: Part<Book>, reviews: Part<Reviews>): string {
  const title = book.kind === "there" ? book.value.title : "Bookinfo";
  const who =
    user === undefined
      ? '<form action="/login" method="get"><input name="user" placeholder="user name" required> ' +
        "<button>Sign in</button></form>"
      : `<span>signed in as <b>${escape(user)}</b> · <a href="/logout">sign out</a></span>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style></head>
<body><header><h1>${escape(title)}</h1>${who}</header>
<main><section id="details"><h2>Details</h2>${renderDetails(book)}</section>
<section id="reviews"><h2>Reviews</h2>${renderReviews(reviews)}</section></main>
<footer>bookinfo on Scrim</footer></body></html>
`;
}

function renderDetails(book: Part<Book>): string {
  if (book.kind === "missing") return `<p class="missing">Details are unavailable: ${escape(book.why)}</p>`;
  const { author, year, pages, language, publisher, isbn } = book.value;
  const rows = Object.entries({ author, year, pages, language, publisher, isbn });
  return `<dl>${rows.map(([name, value]) => `<dt>${name}</dt><dd>${escape(String(value))}</dd>`).join("")}</dl>`;
}

function renderReviews(reviews: Part<Reviews>): string {
  if (reviews.kind === "missing") return `<p class="missing">Reviews are unavailable: ${escape(reviews.why)}</p>`;
  const { version, podname } = reviews.value;
  const quotes = reviews.value.reviews.map(
    (review) =>
      `<blockquote><p>${escape(review.text)}</p>` +
      `<p>— ${escape(review.reviewer)} ${renderRating(review)}</p></blockquote>`,
  );
  return `${quotes.join("\n")}<p><small>served by reviews <b>${escape(version)}</b> (${escape(podname)})</small></p>`;
}

function renderRating({ rating }: Review): string {
  if (rating === undefined) return "";
  if (rating.error !== undefined) return `<span class="missing">${escape(rating.error)}</span>`;
  const stars = rating.stars ?? 0;
  const shown = `${"★".repeat(stars)}${"☆".repeat(Math.max(0, 5 - stars))}`;
  return `<span class="${rating.color === "red" ? "red" : "black"}" title="${stars} of 5">${shown}</span>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
