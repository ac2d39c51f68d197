/**
 * Loaded into a process ahead of its program (`--import`): tells the bench what its JavaScript has allocated. It is no TypeScript, for what Node
 * needs to read that would count as the program's start and memory.
 */
import { getHeapStatistics } from 'node:v8';

process.on('message', (message) => {
  // `ALLOCATED` of `../traffic/protocol.ts`.
  if (message !== 'allocated bytes?') return;
  // In Node since 25.
  process.send?.({ allocatedBytes: getHeapStatistics()['total_allocated_bytes'] });
});
// The program ends when it has nothing more to do, as it does without the bench.
process.channel?.unref();
