/**
 * The folder of `package.json`, with a slash at its end. This module is one folder below it: in `src/` of a checkout, and in `dist/` of what
 * `scripts/build.ts` makes, where it is part of a bundle.
 */
export const PACKAGE_ROOT = new URL('../', import.meta.url);

/** Whether this runs from a bundle, and not from the sources. */
export const IS_BUNDLE = import.meta.url.endsWith('.js');
