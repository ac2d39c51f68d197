/** What a revision of before ends were noted did to a tenant's entry; numbers and truths as either database gives them. */
export interface EarlierTurn {
  tenant: string;
  revision: number | string;
  begins: number | boolean;
  ends: number | boolean;
  /** Unix milliseconds. */
  created_at: number | string;
  source: string;
  /** The newest revision before that had the very same file. */
  same_file: number | string | null;
}

interface EarlierEnd {
  tenant: string;
  revision: number;
  endedAt: number;
}

/**
 * The ends of tenants, as they would have been noted. Which revision a restore brought back was not written down: it gave a tenant
 * its name again only where nobody else can have had it.
 *
 * @param turns the oldest first
 */
export function findEarlierEnds(turns: readonly EarlierTurn[]): EarlierEnd[] {
  const ends = new Map<string, EarlierEnd[]>();
  for (const { tenant, ...turn } of withoutMoves(turns)) {
    const [revision, createdAt] = [Number(turn.revision), Number(turn.created_at)];
    const earlier = ends.get(tenant) ?? [];
    if (turn.ends) ends.set(tenant, [...earlier, { tenant, revision, endedAt: createdAt }]);
    else if (earlier.length > 0) {
      const undone = earlier.filter((end) => isUndone(end, turn));
      const [only] = undone;
      const left = only && undone.length === 1 ? earlier.filter((end) => end !== only) : undefined;
      ends.set(tenant, left ?? earlier.map((end) => ({ ...end, endedAt: createdAt })));
    }
  }
  return [...ends.values()].flat();
}

function isUndone(
  { revision }: EarlierEnd,
  { source, same_file }: Pick<EarlierTurn, 'source' | 'same_file'>,
): boolean {
  return source === 'restore' || (same_file !== null && revision > Number(same_file));
}

/** A tenant that only goes over to the other owner neither ends nor begins. */
function withoutMoves(turns: readonly EarlierTurn[]): EarlierTurn[] {
  const placeOf = ({ revision, tenant }: EarlierTurn) => `${revision} ${tenant}`;
  const inRevision = Map.groupBy(turns, placeOf);
  return turns.filter((turn) => inRevision.get(placeOf(turn))?.length === 1);
}
