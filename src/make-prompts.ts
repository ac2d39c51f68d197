import type { ControlNews } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import { findPromptDirectory } from './prompts/example-prompts.ts';
import { PromptBook } from './prompts/prompt-book.ts';
import { PromptWatch } from './prompts/prompt-watch.ts';
import { tellBrokenPrompt, tellUnreadablePrompts } from './tell-problems.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** The prompts, and what keeps them as their files are. */
export function makePrompts({
  control,
  news,
  configFile,
}: {
  control: Pick<ControlPlane, 'config'>;
  news: ControlNews;
  configFile: string | null;
}): { prompts: PromptBook; promptWatch: PromptWatch } {
  const prompts = new PromptBook();
  const promptWatch = new PromptWatch({
    book: prompts,
    directory: () => findPromptDirectory(control.config.prompts?.directory, configFile),
    schedule: scheduleTimeout,
    onBroken: (broken) => tellBrokenPrompt(news, broken),
    onUnreadable: (directory, error) => tellUnreadablePrompts(news, directory, error),
  });
  return { prompts, promptWatch };
}
