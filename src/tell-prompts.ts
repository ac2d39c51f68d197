import type { ControlNews } from './control/control-news.ts';
import type { PromptChange } from './prompts/deeds.ts';
import type { BrokenVersion } from './prompts/prompt-book.ts';
import { EXAMPLES, type PromptVersion } from './prompts/versions.ts';
import { reasonOf } from './tell-problems.ts';

/** How each state that a version comes to is told. */
const STATES = {
  draft: ['prompt_drafted', 'is a draft'],
  published: ['prompt_published', 'is published'],
  deprecated: ['prompt_deprecated', 'is deprecated'],
  retired: ['prompt_retired', 'is retired'],
} as const satisfies Record<PromptVersion['state'], readonly [string, string]>;

/** What somebody, or a file, has made of prompts: an event for each version, and for each label that was moved. */
export function tellPromptChange(news: ControlNews, { versions, labels }: PromptChange, by: string): void {
  // They come with the project: nobody did it.
  if (by === EXAMPLES) return;
  for (const { name, number, hash, state, retiresAt, successor } of versions) {
    const [kind, is] = STATES[state];
    const until = state === 'deprecated' && retiresAt !== undefined ? dateOf(retiresAt) : undefined;
    const message = `The prompt '${name}@${number}' ${is}${until ? ` until ${until}` : ''}, by ${by}.`;
    news.tell('info', kind, message, {
      ...{ prompt: name, version: number, hash, by },
      ...(until !== undefined && { until }),
      ...(successor !== undefined && { successor }),
    });
  }
  for (const { name, label, number } of labels) {
    const message = `The label '${label}' of the prompt '${name}' points at its version ${number}, by ${by}.`;
    news.tell('info', 'prompt_label_moved', message, { prompt: name, label, version: number, by });
  }
}

export function tellBrokenVersion(news: ControlNews, { version, error }: BrokenVersion): void {
  const { name, number } = version;
  const message = `The prompt '${name}@${number}' cannot be called at an instance of this version: ${error.message}.`;
  news.tell('alarm', 'prompt_version_broken', message, { prompt: name, version: number });
}

/** A deploy takes no endpoint away. */
export function tellFileGone(news: ControlNews, { name, number }: PromptVersion): void {
  const message = `The prompt '${name}' has no file any more, and stays in service: retire it where it is to end.`;
  const details = { prompt: name, version: number };
  news.tellOnce(`prompt_file_gone ${name}@${number}`, {
    ...{ severity: 'warning', kind: 'prompt_file_gone', message, details },
  });
}

export function tellFileElsewhere(
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
