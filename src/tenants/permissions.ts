import { compileGlob } from '../config/glob.ts';

/** Answers whether a tenant may call a model by this public name. */
export type ModelPermission = (model: string) => boolean;

/**
 * Names come from callers: neither how many they think of nor how long they are may fill the memory.
 * What is not remembered is decided anew, which costs a fraction of a microsecond per glob.
 */
const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_LENGTH = 200;

/** Compiles a tenant's `models` (names, globs such as `openai/*`, `*` for all). An empty list allows nothing. */
export function compileModelPermission(models: readonly string[]): ModelPermission {
  if (models.includes('*')) return () => true;
  const names = new Set(models.filter((entry) => !entry.includes('*')));
  const globs = models.filter((entry) => entry.includes('*')).map(compileGlob);
  if (globs.length === 0) return (model) => names.has(model);

  const remembered = new Map<string, boolean>();
  return (model) => {
    if (names.has(model)) return true;
    const known = remembered.get(model);
    if (known !== undefined) return known;
    const allowed = globs.some((matches) => matches(model));
    if (model.length <= MAX_REMEMBERED_LENGTH) {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(model, allowed);
    }
    return allowed;
  };
}
