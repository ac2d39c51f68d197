import {
  DRAFT,
  EXAMPLES,
  FILE,
  findVersion,
  isLabel,
  NOWHERE,
  PRODUCTION,
  type PromptLabel,
  type PromptRecord,
  type PromptSources,
  type PromptVersion,
  stateOf,
} from './versions.ts';

/** What is written of a prompt: versions that are new or in another state, labels that are new or elsewhere. */
export interface PromptChange {
  versions: PromptVersion[];
  labels: PromptLabel[];
}

/** Who does something, and when. */
export interface Deed {
  by: string;
  /** Unix milliseconds. */
  nowMs: number;
}

/** Why something cannot be done with a prompt. */
export class PromptRefusal extends Error {
  readonly code: 'version_not_found' | 'not_possible';

  constructor(code: PromptRefusal['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** What a file says of a prompt. */
export interface FileContent {
  name: string;
  hash: string;
  sources: PromptSources;
  /** It said something else before, and now again what a version is that there was. */
  isBack: boolean;
}

/**
 * What a file that says something makes of its prompt: the next version where none is the same. A file that is met as it is says nothing
 * new, and where a label was moved by hand last, only what is new moves it: another instance may have met long ago what this one meets now.
 */
export function takeFile(
  record: PromptRecord | undefined,
  { name, hash, sources, isBack }: FileContent,
  isPublished: boolean,
  { by, nowMs }: Deed,
): PromptChange {
  const known = record?.versions.find((version) => version.hash === hash);
  const label = isPublished ? PRODUCTION : DRAFT;
  if (!known) {
    const number = (record?.versions.at(-1)?.number ?? 0) + 1;
    const version: PromptVersion = {
      ...{ name, number, hash, sources, createdAt: nowMs, author: by, stateAt: nowMs },
      state: isPublished ? 'published' : 'draft',
      ...{ retiresAt: undefined, successor: undefined },
    };
    return { versions: [version], labels: [{ name, label, number, movedAt: nowMs, author: by }] };
  }
  const state = stateOf(known, nowMs);
  const mover = record?.labels.get(label)?.author ?? by;
  const isMovedByHand = mover !== FILE && mover !== EXAMPLES;
  if (!record || !isBack || isMovedByHand || state === 'retired') return { versions: [], labels: [] };
  const isDraft = isPublished && state === 'draft';
  return {
    versions: isDraft ? [{ ...known, state: 'published', stateAt: nowMs }] : [],
    labels: moveLabel(record, label, known.number, { by, nowMs }),
  };
}

/**
 * Puts a version in service, one that was retired, too, and has a label point at it.
 *
 * @throws PromptRefusal
 */
export function publish(
  record: PromptRecord,
  { version = DRAFT, label = PRODUCTION }: { version?: string | undefined; label?: string | undefined },
  deed: Deed,
): PromptChange {
  checkLabel(label);
  const found = mustFind(record, version);
  const isDone = found.state === 'published';
  return {
    versions: isDone
      ? []
      : [
          {
            ...found,
            ...{ state: 'published', stateAt: deed.nowMs, retiresAt: undefined, successor: undefined },
          },
        ],
    labels: moveLabel(record, label, found.number, deed),
  };
}

/**
 * Has a label point at a version that is published.
 *
 * @throws PromptRefusal
 */
export function promote(
  record: PromptRecord,
  { version, label = PRODUCTION }: { version: string; label?: string | undefined },
  deed: Deed,
): PromptChange {
  checkLabel(label);
  const found = mustFind(record, version);
  const state = stateOf(found, deed.nowMs);
  // One that is deprecated would take away on its day what the label stands for.
  if (state !== 'published') {
    const is = state === 'draft' ? 'a draft' : state;
    throw new PromptRefusal('not_possible', `${nameOf(found)} is ${is}: publish it`);
  }
  return { versions: [], labels: moveLabel(record, label, found.number, deed) };
}

/**
 * Ends a version, or all of them, at once or at a later time: until then it is deprecated.
 *
 * @throws PromptRefusal
 */
export function retire(
  record: PromptRecord,
  {
    version,
    at,
    successor,
  }: { version?: string | undefined; at?: number | undefined; successor?: string | undefined },
  { nowMs }: Deed,
): PromptChange {
  const isNow = at === undefined || at <= nowMs;
  const found = version === undefined ? record.versions : [mustFind(record, version)];
  const [one] = found;
  const holders = [...record.labels.values()].filter(
    ({ label, number }) => number === one?.number && label !== DRAFT,
  );
  if (version !== undefined && one && holders.length > 0) {
    const labels = holders.map(({ label }) => `'${label}'`).join(', ');
    const message = `${nameOf(one)} is what ${labels} points at: promote another one first, take the label away, or retire the prompt as a whole`;
    throw new PromptRefusal('not_possible', message);
  }
  if (version !== undefined && one && !isNow && stateOf(one, nowMs) === 'draft')
    throw new PromptRefusal('not_possible', `${nameOf(one)} is a draft: it can only be retired at once`);
  const end = {
    state: isNow ? 'retired' : 'deprecated',
    stateAt: nowMs,
    retiresAt: isNow ? nowMs : at,
  } as const;
  return {
    versions: found.flatMap((each) => {
      const state = stateOf(each, nowMs);
      const named = successor ?? each.successor;
      // What has ended already did so then, and may be given another successor.
      if (state === 'retired') return named === each.successor ? [] : [{ ...each, successor: named }];
      return isNow || state !== 'draft' ? [{ ...each, ...end, successor: named }] : [];
    }),
    labels: [],
  };
}

/**
 * Takes a label away. Versions stay what they are: what it pointed at is called by its number.
 *
 * @throws PromptRefusal
 */
export function unlabel(
  record: PromptRecord,
  { label }: { label: string },
  { by, nowMs }: Deed,
): PromptChange {
  const { name, labels } = record;
  if (label === DRAFT)
    throw new PromptRefusal(
      'not_possible',
      `'${DRAFT}' goes with the file: publish it, or retire its version`,
    );
  if (!labels.has(label))
    throw new PromptRefusal('version_not_found', `the prompt '${name}' has no label '${label}'`);
  return { versions: [], labels: [{ name, label, number: NOWHERE, movedAt: nowMs, author: by }] };
}

function moveLabel(
  { name, labels }: PromptRecord,
  label: string,
  number: number,
  { by, nowMs }: Deed,
): PromptLabel[] {
  if (labels.get(label)?.number === number) return [];
  return [{ name, label, number, movedAt: nowMs, author: by }];
}

function checkLabel(label: string): void {
  if (isLabel(label)) return;
  const message = `'${label}' is no label: write small letters, digits, '-' and '_', and not '${DRAFT}'`;
  throw new PromptRefusal('not_possible', message);
}

function mustFind(record: PromptRecord, version: string): PromptVersion {
  const found = findVersion(record, version);
  if (found) return found;
  const message =
    version === DRAFT
      ? `the prompt '${record.name}' has no draft: name a version`
      : `the prompt '${record.name}' has no version or label '${version}'`;
  throw new PromptRefusal('version_not_found', message);
}

function nameOf({ name, number }: PromptVersion): string {
  return `'${name}@${number}'`;
}
