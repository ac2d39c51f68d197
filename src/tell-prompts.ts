import type { ControlNews } from './control/control-news.ts';
import type { PromptChange } from './prompts/deeds.ts';
import type { BrokenVersion } from './prompts/prompt-book.ts';
import type { Slips, Strays } from './prompts/prompt-keeper.ts';
import { EXAMPLES, NOWHERE, type PromptVersion } from './prompts/versions.ts';
import { reasonOf } from './tell-problems.ts';

/** How each state that a version comes to is told. */
const STATES = {
  draft: ['prompt_drafted', 'is a draft'],
  published: ['prompt_published', 'is published'],
  deprecated: ['prompt_deprecated', 'is deprecated'],
  retired: ['prompt_retired', 'is retired'],
} as const satisfies Record<PromptVersion['state'], readonly [string, string]>;

/** Of more than so many prompts at once, all is one event: those that wait for the store are bounded. */
const MOST_EVENTS = 100;
/** How many of them it names. */
const MOST_NAMED = 20;

/** What somebody, or a file, has made of prompts: an event for each version, and for each label that was moved to one that there was. */
export function tellPromptChange(news: ControlNews, { versions, labels }: PromptChange, by: string): void {
  // They come with the project: nobody did it.
  if (by === EXAMPLES) return;
  const own = new Map(labels.map((label) => [`${label.name}@${label.number}`, label]));
  if (Math.max(versions.length, labels.length) > MOST_EVENTS) {
    const prompts = [...own.keys()].slice(0, MOST_NAMED);
    const counts = { versions: versions.length, labels: labels.length };
    const message = `${counts.versions} versions and ${counts.labels} labels of prompts were changed at once, by ${by}.`;
    news.tell('info', 'prompts_changed', message, { ...counts, prompts, by });
    return;
  }
  for (const version of versions) {
    const reference = `${version.name}@${version.number}`;
    tellVersion(news, version, own.get(reference)?.label, by);
    own.delete(reference);
  }
  for (const { name, label, number } of own.values()) {
    if (number === NOWHERE) {
      const message = `The label '${label}' of the prompt '${name}' is taken away, by ${by}.`;
      news.tell('info', 'prompt_label_removed', message, { prompt: name, label, by });
      continue;
    }
    const message = `The label '${label}' of the prompt '${name}' points at its version ${number}, by ${by}.`;
    news.tell('info', 'prompt_label_moved', message, { prompt: name, label, version: number, by });
  }
}
function tellVersion(
  news: ControlNews,
  { name, number, hash, state, retiresAt, successor }: PromptVersion,
  label: string | undefined,
  by: string,
): void {
  const [kind, is] = STATES[state];
  const until = state === 'deprecated' && retiresAt !== undefined ? dateOf(retiresAt) : undefined;
  const how = `${label === undefined ? '' : ` as '${label}'`}${until ? ` until ${until}` : ''}`;
  news.tell('info', kind, `The prompt '${name}@${number}' ${is}${how}, by ${by}.`, {
    ...{ prompt: name, version: number, hash, by },
    ...(label !== undefined && { label }),
    ...(until !== undefined && { until }),
    ...(successor !== undefined && { successor }),
  });
}

/** They would else be found when nothing comes of what a file says. */
export function tellSlips(
  news: ControlNews,
  { name, unknownFields, unknownInputs, missingModel }: Slips,
): void {
  const fields = unknownFields.map(({ field }) => field);
  const inputs = unknownInputs.map((input) => input.name);
  const told = [
    ...(missingModel === undefined ? [] : [missingModel]),
    ...unknownFields.map(
      ({ field, line }) =>
        `'${field}'${line === undefined ? '' : ` in line ${line}`}, which nothing here reads`,
    ),
    ...unknownInputs.map((input) => `{{${input.name}}} in line ${input.line}, which its input does not have`),
  ];
  const message = `The file of the prompt '${name}' says ${told.slice(0, MOST_NAMED).join('; ')}.`;
  news.tell('warning', 'prompt_slips', message, { prompt: name, fields, inputs });
}

/** Versions that ended on their day: each is told once over all instances and starts; of many at once the instances tell one event each. */
export function tellRetired(news: ControlNews, versions: readonly PromptVersion[]): void {
  if (versions.length > MOST_EVENTS) {
    const prompts = versions.slice(0, MOST_NAMED).map(({ name, number }) => `${name}@${number}`);
    const message = `${versions.length} versions of prompts are retired: their day has come.`;
    news.tell('info', 'prompts_changed', message, { versions: versions.length, labels: 0, prompts });
    return;
  }
  for (const { name, number, hash, retiresAt, successor } of versions) {
    const reference = `${name}@${number}`;
    const message = `The prompt '${reference}' is retired: its day has come. Calls of it get a 410.`;
    const details = { prompt: name, version: number, hash, ...(successor !== undefined && { successor }) };
    news.tellOnce(`prompt_retired ${reference} ${retiresAt}`, {
      ...{ severity: 'info', kind: 'prompt_retired', message, details },
    });
  }
}

export function tellBrokenVersion(news: ControlNews, { version, error }: BrokenVersion): void {
  const { name, number } = version;
  const message = `The prompt '${name}@${number}' cannot be called at an instance of this version: ${error.message}.`;
  news.tell('alarm', 'prompt_version_broken', message, { prompt: name, version: number });
}

/** Each is told once over all instances and starts; of many at once the instances tell one event each. */
export function tellStrays(news: ControlNews, { gone, elsewhere }: Strays): void {
  if (gone.length + elsewhere.length > MOST_EVENTS) {
    const prompts = [...gone, ...elsewhere.map(({ production }) => production)]
      .slice(0, MOST_NAMED)
      .map(({ name }) => name);
    const counts = { gone: gone.length, elsewhere: elsewhere.length };
    const message = `${counts.gone} prompts have no file any more and stay in service, and the files of ${counts.elsewhere} are other versions than those in service.`;
    news.tell('warning', 'prompt_files_astray', message, { ...counts, prompts });
    return;
  }
  for (const version of gone) tellFileGone(news, version);
  for (const { production, inFile } of elsewhere) tellFileElsewhere(news, production, inFile);
}

function tellFileGone(news: ControlNews, { name, number }: PromptVersion): void {
  const message = `The prompt '${name}' has no file any more, and stays in service: retire it where it is to end.`;
  const details = { prompt: name, version: number };
  news.tellOnce(`prompt_file_gone ${name}@${number}`, {
    ...{ severity: 'warning', kind: 'prompt_file_gone', message, details },
  });
}

function tellFileElsewhere(
  news: ControlNews,
  { name, number }: PromptVersion,
  { number: inFile }: PromptVersion,
): void {
  const message = `The file of the prompt '${name}' is its version ${inFile}, and version ${number} is in service: promote '${name}@${inFile}' where that is to be.`;
  const details = { prompt: name, version: number, inFile };
  news.tellOnce(`prompt_file_elsewhere ${name}@${number} ${inFile}`, {
    ...{ severity: 'warning', kind: 'prompt_file_elsewhere', message, details },
  });
}

export function tellPromptsBehind(news: ControlNews, error: unknown): void {
  const message = 'the prompts cannot be brought up to date: they stay as they were, and it is tried again';
  news.tell('warning', 'prompts_behind', message, { reason: reasonOf(error) });
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}
