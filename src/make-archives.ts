import { CaptureArchive } from './captures/capture-archive.ts';
import type { NewsLog } from './control/control-news.ts';
import { ResponseArchive } from './responses/response-archive.ts';
import type { Store } from './store/store.ts';
import { describeProblem } from './tell-problems.ts';

/** What is kept of calls beside their records: answers that clients go on from, and what tenants have kept. */
export function makeArchives(
  store: Store,
  log: NewsLog,
): { responses: ResponseArchive; captures: CaptureArchive } {
  return {
    responses: new ResponseArchive({
      store,
      now: Date.now,
      onProblem: (problem) => log.error(describeProblem(problem), `kept responses: ${problem.kind}`),
    }),
    captures: new CaptureArchive({
      store,
      now: Date.now,
      onProblem: (problem) => log.error(describeProblem(problem), `captures: ${problem.kind}`),
    }),
  };
}
