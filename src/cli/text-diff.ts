/** Longer texts are told whole: finding what they share takes the square of their lines. */
const MOST_LINES = 500;

/** What is to be changed in `expected` to come to `actual`, a line each: `-` what is missing, `+` what is too much. */
export function diffLines(expected: string, actual: string): string[] {
  const [before, after] = [expected.split('\n'), actual.split('\n')];
  if (before.length > MOST_LINES || after.length > MOST_LINES)
    return [...before.map((line) => `- ${line}`), ...after.map((line) => `+ ${line}`)];
  const common = commonLengths(before, after);
  const lines: string[] = [];
  let [left, right] = [0, 0];
  while (left < before.length || right < after.length) {
    if (left < before.length && before[left] === after[right]) {
      lines.push(`  ${before[left]}`);
      left += 1;
      right += 1;
    } else if (
      right >= after.length ||
      (left < before.length && (common[left + 1]?.[right] ?? 0) >= (common[left]?.[right + 1] ?? 0))
    ) {
      lines.push(`- ${before[left]}`);
      left += 1;
    } else {
      lines.push(`+ ${after[right]}`);
      right += 1;
    }
  }
  return lines;
}

/** How many lines the rest of both texts share in order, from each pair of lines on. */
function commonLengths(before: readonly string[], after: readonly string[]): number[][] {
  const lengths = Array.from({ length: before.length + 1 }, () =>
    new Array<number>(after.length + 1).fill(0),
  );
  for (let left = before.length - 1; left >= 0; left -= 1) {
    const [row, below] = [lengths[left], lengths[left + 1]];
    if (!row || !below) continue;
    for (let right = after.length - 1; right >= 0; right -= 1)
      row[right] =
        before[left] === after[right]
          ? (below[right + 1] ?? 0) + 1
          : Math.max(below[right] ?? 0, row[right + 1] ?? 0);
  }
  return lengths;
}
