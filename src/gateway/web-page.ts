/** What a page may say of the request itself: servers in front of an API have bounds of their own (RFC 9110 15.5.14 and 15.5.15, RFC 6585 5). */
const ABOUT_SIZE: ReadonlySet<number> = new Set([413, 414, 431]);

/**
 * Whether a refusal is a web page: not the API says so but what stands in its place (a wrong address, a proxy, a login), which knows
 * nothing of the call. A caller can mend nothing there, but for a request that is too large.
 */
export function isStrangersRefusal(status: number, contentType: unknown, body: string): boolean {
  if (ABOUT_SIZE.has(status)) return false;
  return /^text\/html/i.test(String(contentType ?? '')) || /^\s*<(?:!doctype html|html)\b/i.test(body);
}
