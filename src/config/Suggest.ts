/**
 * Suggestions for misspelt words.
 */

/**
 * The word nearest to `word`; undefined if no word is near. Case and dashes do not count: `idleTimeout` is near to
 * `idle-timeout`.
 */
export const nearest = (word: string, words: ReadonlyArray<string>): string | undefined => {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z\d]/g, "")
  const [best] = words
    .map((candidate) => ({ candidate, away: distance(plain(word), plain(candidate)) }))
    .filter(({ candidate, away }) => away <= Math.max(1, Math.min(3, Math.floor(candidate.length / 3))))
    .toSorted((one, other) => one.away - other.away)
  return best?.candidate
}

/** The Levenshtein distance: letters to add, remove or replace. Infinite if the lengths differ by more than 8. */
const distance = (one: string, other: string): number => {
  if (Math.abs(one.length - other.length) > 8) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [i, letter] of Array.from(one).entries()) {
    const next = [i + 1]
    for (let j = 0; j < other.length; j++) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (letter === other[j] ? 0 : 1)))
    }
    row = next
  }
  return row[other.length]!
}
