/** What stands for all names that are not told apart. */
export const OTHER = 'other';

/** What of the configuration names that callers write are held against. */
export interface KnownNames {
  isModel(name: string): boolean;
  /** Whether a configured model leads to it; else a caller has named it itself. */
  isTarget(name: string): boolean;
}

/** A target by a name that no caller can make up. Its provider is always a configured one. */
export function boundTarget(names: KnownNames, target: string): string {
  return names.isTarget(target) ? target : `${target.slice(0, target.indexOf('/') + 1)}${OTHER}`;
}
