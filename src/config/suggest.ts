/** The known word that was probably meant, or `undefined` where none is near (a third of the letters may differ). */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  if (word.length < 3) return undefined;
  let bestDistance = Math.floor(word.length / 3) + 1;
  for (const candidate of known) {
    // The lengths alone put a floor under the distance; it keeps long lists of names cheap.
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
