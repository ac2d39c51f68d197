import { fileURLToPath } from 'node:url';

/** What `test/run.ts` tells the tests of the package that it built: its program starts in a third of the time. */
export const LAUNCHER_VARIABLE = 'FAIRLEAD_TEST_LAUNCHER';

/** The path of the program that tests start: as it is published in a run of all tests, else that of the checkout. */
export const LAUNCHER =
  process.env[LAUNCHER_VARIABLE] ?? fileURLToPath(new URL('../../bin/fairlead.js', import.meta.url));
