import { FROM_LOWEST, type Rank } from './bounds.ts';
import type { Line } from './line.ts';
import type { Room } from './room.ts';
import type { Share } from './share.ts';

/** What of a queue that is full is a priority's own, whoever else comes. Nothing of one that is shorter than there are priorities. */
export function ownOf(maxQueued: number): number {
  return maxQueued < FROM_LOWEST.length ? 0 : Math.max(1, Math.floor(maxQueued / 10));
}

/**
 * Of a queue that is full, the line whose last call leaves it for one that comes; `undefined` where that one is to be refused. Lower
 * priorities make way first, down to what is their own. Of the same priority the tenant makes way that has most waiting, so
 * that its burst fills the queue for nobody but itself. And who has less than what is its own takes it from the others.
 *
 * `rooms`: the room that is full, or all where the queue of all is.
 */
export function findWay(
  rooms: readonly Room[],
  maxQueued: number,
  { room, holder, waiting }: Share,
  rank: Rank,
): Line | undefined {
  // The one room that is full is asked what a tenant has in it; all are asked what it has in all.
  const isOne = rooms.length === 1 && rooms[0] === room;
  const own = ownOf(maxQueued);
  for (const lower of FROM_LOWEST) {
    if (lower <= rank) break;
    if (countQueued(rooms, lower) > own) return findLongest(rooms, lower, isOne);
  }
  const longest = findLongest(rooms, rank, isOne);
  // With one more this tenant has no more than the other then has.
  if (longest && waitingOf(longest, isOne) > (isOne ? waiting : holder.waiting) + 1) return longest;
  if (countQueued(rooms, rank) >= own) return undefined;
  for (const higher of FROM_LOWEST) {
    if (higher < rank && countQueued(rooms, higher) > own) return findLongest(rooms, higher, isOne);
  }
  return undefined;
}

function countQueued(rooms: readonly Room[], rank: Rank): number {
  let count = 0;
  for (const room of rooms) count += room.queued(rank);
  return count;
}

function findLongest(rooms: readonly Room[], rank: Rank, isOne: boolean): Line | undefined {
  let longest: Line | undefined;
  let most = 0;
  for (const room of rooms) {
    for (const line of room.linesOf(rank)) {
      const waiting = waitingOf(line, isOne);
      if (waiting <= most) continue;
      longest = line;
      most = waiting;
    }
  }
  return longest;
}

function waitingOf({ share }: Line, isOne: boolean): number {
  return isOne ? share.waiting : share.holder.waiting;
}
