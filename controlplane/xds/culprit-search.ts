// Which of several contents is the bad one, found with few questions to someone who only says whether a set is good.

/** Whether a set can be loaded. Undefined: that could not be found out. */
export type Question<T> = (set: readonly T[]) => Promise<boolean | undefined>;

/** Asked at most so often; what is not decided by then counts as innocent. */
const MAX_QUESTIONS = 24;

/** The items that cannot be loaded, each by itself; none when the whole set can be. A set that is bad only together has no culprit. */
export async function findCulprits<T>(items: readonly T[], isGood: Question<T>): Promise<readonly T[]> {
  let questions = 0;
  const ask = async (set: readonly T[]): Promise<boolean> => (++questions > MAX_QUESTIONS ? true : ((await isGood(set)) ?? true));
  const search = async (bad: readonly T[]): Promise<readonly T[]> => {
    if (bad.length === 1) return bad;
    const middle = Math.ceil(bad.length / 2);
    const found: T[] = [];
    for (const half of [bad.slice(0, middle), bad.slice(middle)]) if (!(await ask(half))) found.push(...(await search(half)));
    return found;
  };
  return items.length === 0 || (await ask(items)) ? [] : search(items);
}
