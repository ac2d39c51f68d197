/** Loaded into a process ahead of its program (`--import`): tells the bench what its JavaScript has allocated. */
import { getHeapStatistics } from 'node:v8';
import { ALLOCATED, type AllocatedBytes } from '../traffic/protocol.ts';

process.on('message', (message) => {
  if (message !== ALLOCATED) return;
  // In Node since 25; its types do not know it yet.
  const { total_allocated_bytes } = getHeapStatistics() as unknown as { total_allocated_bytes: number };
  process.send?.({ allocatedBytes: total_allocated_bytes } satisfies AllocatedBytes);
});
// The program ends when it has nothing more to do, as it does without the bench.
process.channel?.unref();
