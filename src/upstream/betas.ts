import { appendAll } from '../conversation/append-all.ts';

const HEADER = 'anthropic-beta';

/**
 * Headers whose `anthropic-beta` names only flags that are known where they go: a cloud refuses a request for a flag
 * that it does not know. What is left out is added to `dropped`.
 */
export function keepBetas(
  headers: Readonly<Record<string, string>>,
  known: readonly string[],
  dropped: string[],
): Record<string, string> {
  const { [HEADER]: written, ...others } = headers;
  if (written === undefined) return others;
  const flags = written.split(',').map((flag) => flag.trim());
  const kept = flags.filter((flag) => known.includes(flag));
  appendAll(
    dropped,
    flags.filter((flag) => !known.includes(flag)).map((flag) => `${HEADER}: ${flag}`),
  );
  return kept.length === 0 ? others : { ...others, [HEADER]: kept.join(',') };
}
