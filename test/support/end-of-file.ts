import { after } from 'node:test';

/**
 * Preloaded by `test/run.ts`: a file that leaves something open (a test that failed may have) would never end. It is given a
 * while, told of, and fails. (`--test-force-exit` ends files before their reports have left the process.)
 */
const GRACE_MS = 10_000;

// The runner itself loads it, too, and has no tests.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) after(watchTheEnd);

function watchTheEnd(): void {
  const timer = setTimeout(() => {
    // The runner has much to read from other files, too: a report that it has not taken yet keeps the process, and should.
    if (process.stdout.writableLength > 0) {
      watchTheEnd();
      return;
    }
    const open = process.getActiveResourcesInfo().join(', ');
    process.stderr.write(`the tests are over, and still open are: ${open}\n`, () => process.exit(1));
  }, GRACE_MS);
  timer.unref();
}
