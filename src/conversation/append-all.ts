/** Appends to a list. `push(...items)` puts all of them on the stack, which the hundred thousand of a legal body overflow. */
export function appendAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}
