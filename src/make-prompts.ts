import type { Config } from './config/resolve.ts';
import type { ControlNews } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import type { Log } from './gateway/gateway.ts';
import { AnswerCache } from './prompts/answer-cache.ts';
import { findPromptDirectory } from './prompts/example-prompts.ts';
import { PromptBook } from './prompts/prompt-book.ts';
import { PromptWatch } from './prompts/prompt-watch.ts';
import { RedisAnswers } from './prompts/redis-answers.ts';
import { tellBrokenPrompt, tellUnreadablePrompts } from './tell-problems.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** The prompts, what keeps them as their files are, and the answers that are kept. */
export function makePrompts({
  control,
  news,
  log,
  config: { state, stateTimeout },
  configFile,
  now,
}: {
  control: Pick<ControlPlane, 'config'>;
  news: ControlNews;
  log: Log;
  config: Pick<Config, 'state' | 'stateTimeout'>;
  configFile: string | null;
  /** Unix milliseconds. */
  now: () => number;
}): { prompts: PromptBook; promptWatch: PromptWatch; promptAnswers: AnswerCache } {
  const prompts = new PromptBook();
  const promptWatch = new PromptWatch({
    book: prompts,
    directory: () => findPromptDirectory(control.config.prompts?.directory, configFile),
    schedule: scheduleTimeout,
    onBroken: (broken) => tellBrokenPrompt(news, broken),
    onUnreadable: (directory, error) => tellUnreadablePrompts(news, directory, error),
  });
  const shared =
    state.kind === 'memory'
      ? undefined
      : new RedisAnswers({
          url: state.url,
          replyMs: stateTimeout,
          now,
          onAway: (err) =>
            log.warn({ err }, 'the Redis has no answers of prompts at the moment: models are asked'),
        });
  return { prompts, promptWatch, promptAnswers: new AnswerCache(now, shared) };
}
