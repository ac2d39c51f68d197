import { readdir } from 'node:fs/promises';
import type { ProviderDeclaration } from './provider.ts';

/** `providers/` beside `src/`, in a checkout as in what is built from it. */
const FOLDER = new URL('../../providers/', import.meta.url);

/** Every provider declaration there is. A provider is added by adding its file, so the folder is the list. */
export async function loadDeclarations(): Promise<ProviderDeclaration[]> {
  const files = (await readdir(FOLDER)).filter((file) => /(?<!\.d)\.[jt]s$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const module = (await import(new URL(file, FOLDER).href)) as { default: ProviderDeclaration };
      return module.default;
    }),
  );
}
