/** What a rollout goes by to tell callers apart. */
export interface Sticky {
  tenant: string;
  key: string;
  /** The end user as the client names it. */
  user?: string | undefined;
  /** What the client calls its session or conversation. */
  session?: string | undefined;
}

/** What stays on one side: an end user, else a session, else all that a key calls. Those of different tenants are others. */
export function stickyKey({ tenant, key, user, session }: Sticky): string {
  if (user !== undefined) return `${tenant}\0u\0${user}`;
  if (session !== undefined) return `${tenant}\0s\0${session}`;
  return `${tenant}\0k\0${key}`;
}

/**
 * What a sticky key is known by in a rollout, below 2³²: it is the same in every process.
 *
 * @param rollout its name: another rollout begins with other users
 */
export function hashOf(rollout: string, key: string): number {
  return hash(`${rollout}\0${key}`);
}

/**
 * Where that stands among all, from 0 to 100, without 100: it has the candidate where that is below the weight, so that a weight that grows
 * moves keys towards the candidate alone.
 */
export function percentileOf(hash: number): number {
  return (hash / 2 ** 32) * 100;
}

/** FNV-1a over UTF-16, then the finish of MurmurHash3, which spreads what keys that are nearly alike differ in. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return (sum ^ (sum >>> 16)) >>> 0;
}
