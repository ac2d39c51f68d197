/** Puts a text between two marks of a page, in place of what stands there. Throws where the page has no such place. */
export function replaceBetween(page: string, [begin, end]: readonly [string, string], text: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the page has no "${begin}" with "${end}" after it`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}
