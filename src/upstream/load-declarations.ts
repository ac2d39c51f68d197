import { readdir } from 'node:fs/promises';
import { IS_BUNDLE, PACKAGE_ROOT } from '../package-root.ts';
import type { ProviderDeclaration } from './provider.ts';

const FOLDER = new URL('providers/', PACKAGE_ROOT);
/** All of the folder in one, of a bundle. */
const LIST = new URL('dist/providers.js', PACKAGE_ROOT);

/** Every provider declaration there is. A provider is added by adding its file, so the folder is the list. */
export async function loadDeclarations(): Promise<ProviderDeclaration[]> {
  if (IS_BUNDLE) {
    const list = (await import(LIST.href)) as { default: ProviderDeclaration[] };
    return list.default;
  }
  const files = (await readdir(FOLDER)).filter((file) => /\.[jt]s$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const module = (await import(new URL(file, FOLDER).href)) as { default: ProviderDeclaration };
      return module.default;
    }),
  );
}
