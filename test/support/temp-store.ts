import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openStore } from '../../src/store/open.ts';
import type { OpenOptions, Store } from '../../src/store/store.ts';
import { placeEmptyStore } from './empty-store.ts';

/** A directory that is gone after the test. */
export function makeTempDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'fairlead-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A store in a file of its own, open until the test ends. */
export async function openTempStore(context: TestContext, options?: OpenOptions): Promise<Store> {
  const path = join(makeTempDirectory(context), 'fairlead.db');
  await placeEmptyStore(path);
  const store = await openStore(`sqlite:${path}`, options);
  context.after(() => store.close());
  return store;
}
