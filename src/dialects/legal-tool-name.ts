/**
 * Names that a model made up stand in histories too, and the APIs check them all.
 *
 * @param most characters that the API takes
 */
export function legalToolName(name: string, most: number): string {
  return name.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, most) || '_';
}
