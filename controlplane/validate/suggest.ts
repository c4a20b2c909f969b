// "Did you mean …?" for names nobody knows.

/** Returns the candidate nearest to `word`, if one is near enough to be what was meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined;
  const plain = simplify(word);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(plain, simplify(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best ?? longestContained(plain, candidates);
}

/** Returns the longest candidate that is a part of the word, or has it as a part: `hostname` is probably `host`. */
function longestContained(plain: string, candidates: Iterable<string>): string | undefined {
  const related = [...candidates].filter((candidate) => {
    const other = simplify(candidate);
    return Math.min(other.length, plain.length) >= 4 && (plain.includes(other) || other.includes(plain));
  });
  return related.sort((a, b) => b.length - a.length)[0];
}

/** Returns `; did you mean "x"?` or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const found = nearest(word, candidates);
  return found === undefined ? "" : `; did you mean "${found}"?`;
}

/** snake_case, kebab-case and other spellings of the case are the same word. */
function simplify(word: string): string {
  return word.toLowerCase().replaceAll(/[_\-\s]/g, "");
}

/** Damerau-Levenshtein distance with adjacent transpositions. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        value = Math.min(value, (before[j - 2] ?? 0) + 1);
      row.push(value);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length] ?? 0;
}
