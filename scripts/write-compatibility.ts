import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/*
 * Writes docs/compatibility.md. The matrix test runs whole first and writes down what became of each of its cells
 * (test/sdk/matrix/outcomes.json); where a cell fails, nothing is written. `--as-observed` leaves that out.
 */

const root = fileURLToPath(new URL('../', import.meta.url));

if (!process.argv.includes('--as-observed')) {
  const { status } = spawnSync(
    process.execPath,
    ['test/run.ts', '--heavy', 'test/sdk/matrix/matrix.test.ts'],
    { cwd: root, stdio: 'inherit', env: { ...process.env, FAIRLEAD_WRITE_OUTCOMES: 'yes' } },
  );
  if (status !== 0) process.exit(status ?? 1);
}
const { renderCompatibilityPage } = await import('./compatibility/page.ts');
writeFileSync(new URL('../docs/compatibility.md', import.meta.url), renderCompatibilityPage());
