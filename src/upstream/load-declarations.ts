import { readdir } from 'node:fs/promises';
import { IS_BUNDLE, PACKAGE_ROOT } from '../package-root.ts';
import type { ProviderDeclaration } from './provider.ts';

const FOLDER = new URL(IS_BUNDLE ? 'dist/providers/' : 'providers/', PACKAGE_ROOT);

/** Every provider declaration there is. A provider is added by adding its file, so the folder is the list. */
export async function loadDeclarations(): Promise<ProviderDeclaration[]> {
  const files = (await readdir(FOLDER)).filter((file) => /\.[jt]s$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const module = (await import(new URL(file, FOLDER).href)) as { default: ProviderDeclaration };
      return module.default;
    }),
  );
}
