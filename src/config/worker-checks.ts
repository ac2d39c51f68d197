import type { Finding } from './finding.ts';
import { valueAt } from './path.ts';

const WORKERS = ['server', 'workers'];

/**
 * What several workers must share: each is an instance of its own. `auto` is several wherever it is read: a file is not to be right
 * on a machine of one core and wrong on the next.
 */
export function checkWorkers(document: unknown): Finding[] {
  const workers = valueAt(document, WORKERS);
  if (workers !== 'auto' && !(typeof workers === 'number' && workers > 1)) return [];
  const state = valueAt(document, ['state']) ?? 'memory';
  const store = valueAt(document, ['store']);
  const findings: Finding[] = [];
  if (typeof state === 'string' && state.startsWith('memory')) {
    findings.push({
      path: WORKERS,
      message: 'several workers count calls together in a Redis: set `state` to redis://…, or `workers` to 1',
    });
  }
  if (store === 'sqlite::memory:') {
    findings.push({
      path: WORKERS,
      message:
        'several workers share a store, and sqlite::memory: is one for each: name a file or a PostgreSQL',
    });
  }
  return findings;
}
