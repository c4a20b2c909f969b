// A text such as "60s", "250ms" or "1h30m" as a time.

/**
 * Returns the milliseconds that a text says: whole numbers with the units h, m, s and ms, one after the other; -1 for
 * any other text, and for more than 2⁵³ of them.
 */
export function millisecondsOf(text: string): i64 {
  let total: f64 = 0;
  let at = 0;
  while (at < text.length) {
    const start = at;
    let number: f64 = 0;
    while (at < text.length && isDigit(text.charCodeAt(at))) number = number * 10 + f64(text.charCodeAt(at++) - 0x30);
    const from = at;
    while (at < text.length && !isDigit(text.charCodeAt(at))) at++;
    const unit = unitOf(text.substring(from, at));
    if (from == start || unit == 0) return -1;
    total += number * unit;
  }
  return text.length == 0 || total > 9007199254740992.0 ? -1 : i64(total);
}

function isDigit(unit: i32): bool {
  return unit >= 0x30 && unit <= 0x39;
}

/** Milliseconds of a unit; 0 for what is none. */
function unitOf(name: string): f64 {
  if (name == "ms") return 1;
  if (name == "s") return 1_000;
  if (name == "m") return 60_000;
  return name == "h" ? 3_600_000 : 0;
}
