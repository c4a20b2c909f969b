// Which of several contents is the bad one, found with few questions to someone who only says whether a set is good.

/** Whether a set can be loaded. Undefined: that could not be found out. */
export type Question<T> = (set: readonly T[]) => Promise<boolean | undefined>;

/**
 * Asked at most so often; what is not decided by then counts as innocent. So it is sent on, and the proxy that rejects it
 * begins another search, among less: what is bad is found later, and told then.
 */
const MAX_QUESTIONS = 24;

/**
 * The items that cannot be loaded, each by itself; none when the whole set can be. A set that is bad only together has
 * no culprit.
 */
export async function findCulprits<T>(items: readonly T[], isGood: Question<T>): Promise<readonly T[]> {
  let questions = 0;
  const ask = async (set: readonly T[]): Promise<boolean> =>
    ++questions > MAX_QUESTIONS ? true : ((await isGood(set)) ?? true);
  /** Of a set that is bad; `isSeen`: it was asked about, and not only told from its other half being good. */
  const search = async (bad: readonly T[], isSeen: boolean): Promise<readonly T[]> => {
    if (bad.length === 1) return isSeen || !(await ask(bad)) ? bad : [];
    const middle = Math.ceil(bad.length / 2);
    const [first, second] = [bad.slice(0, middle), bad.slice(middle)];
    if (await ask(first)) return search(second, false);
    const found = await search(first, true);
    return (await ask(second)) ? found : [...found, ...(await search(second, true))];
  };
  return items.length === 0 || (await ask(items)) ? [] : search(items, true);
}
