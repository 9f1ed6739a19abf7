/**
 * Finds out of many changes those that break something, by halving: about `culprits x log2(changes)` tests.
 * A change that breaks only together with another counts, too, as one of the two.
 * @param works whether all is well with just these changes made. With none it must be.
 * @returns changes without which all the others work together, in the order given
 */
export async function findCulprits<T>(
  changes: readonly T[],
  works: (made: readonly T[]) => Promise<boolean>,
): Promise<T[]> {
  const culprits = new Set<T>();
  let candidates = [...changes];
  while (candidates.length > 0 && !(await works(candidates))) {
    // The shortest beginning that does not work ends with a culprit.
    let good = 0;
    let bad = candidates.length;
    while (bad - good > 1) {
      const middle = Math.floor((good + bad) / 2);
      if (await works(candidates.slice(0, middle))) good = middle;
      else bad = middle;
    }
    const culprit = candidates[bad - 1] as T;
    culprits.add(culprit);
    candidates = candidates.filter((change) => change !== culprit);
  }
  return changes.filter((change) => culprits.has(change));
}
