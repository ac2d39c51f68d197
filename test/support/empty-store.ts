import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openStore } from '../../src/store/open.ts';

let empty: Promise<Buffer> | undefined;

/**
 * Puts a store that has all tables and holds nothing where there is none: making the tables takes longer than many tests do. What
 * tests the making itself (`test/store`) opens stores without this.
 *
 * @param path of the SQLite file
 */
export async function placeEmptyStore(path: string): Promise<void> {
  if (existsSync(path)) return;
  empty ??= makeEmptyStore();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, await empty);
}

async function makeEmptyStore(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-'));
  const path = join(folder, 'fairlead.db');
  // Closed it is whole in its one file.
  await (await openStore(`sqlite:${path}`)).close();
  const bytes = readFileSync(path);
  rmSync(folder, { recursive: true });
  return bytes;
}
