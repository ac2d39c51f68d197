import type { Config } from './config/resolve.ts';
import type { ControlNews } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import type { Gateway, Log } from './gateway/gateway.ts';
import { PromptCache } from './prompt-calls/prompt-cache.ts';
import { PromptModels } from './prompt-calls/prompt-models.ts';
import { AnswerCache, type SharedAnswers } from './prompts/answer-cache.ts';
import { compilePrompt, type PromptSource } from './prompts/compile-prompt.ts';
import { findPromptDirectory } from './prompts/example-prompts.ts';
import { PromptBook } from './prompts/prompt-book.ts';
import { PromptCompiler } from './prompts/prompt-files.ts';
import { PromptKeeper } from './prompts/prompt-keeper.ts';
import { PromptStore } from './prompts/prompt-store.ts';
import { PromptWatch } from './prompts/prompt-watch.ts';
import { SlowChecks } from './prompts/slow-checks.ts';
import type { Store } from './store/store.ts';
import { tellBrokenPrompt, tellUnreadablePrompts } from './tell-problems.ts';
import {
  tellBrokenVersion,
  tellPromptChange,
  tellPromptsBehind,
  tellRetired,
  tellSlips,
  tellStrays,
} from './tell-prompts.ts';
import { scheduleTimeout } from './usage/ledger.ts';

export interface Prompts {
  prompts: PromptBook;
  promptKeeper: PromptKeeper;
  promptWatch: PromptWatch;
  promptCache: PromptCache;
  promptModels: PromptModels;
  /** To be called when nobody calls them any more. */
  closePrompts(): Promise<void>;
}

/** The prompts, what keeps them as their files and the store are, and the answers that are kept. */
export async function makePrompts({
  store,
  control,
  news,
  log,
  config: { state, stateTimeout },
  configFile,
  now,
  prices,
  isModel,
}: {
  store: Store;
  control: Pick<ControlPlane, 'config'>;
  news: ControlNews;
  log: Log;
  config: Pick<Config, 'state' | 'stateTimeout'>;
  configFile: string | null;
  /** Unix milliseconds. */
  now: () => number;
  prices: Pick<Gateway['prices'], 'costMicroUsd'>;
  /** Whether calls of this name lead anywhere. */
  isModel: (name: string) => boolean;
}): Promise<Prompts> {
  const hasExamples = () => control.config.prompts?.directory === undefined;
  const slowChecks = new SlowChecks();
  const compile = (source: PromptSource) => compilePrompt(source, slowChecks);
  const compiler = new PromptCompiler(compile);
  const prompts = new PromptBook({
    ...{ hasExamples, compile, now },
    madeBefore: (name, hash) => compiler.find(name, hash),
  });
  const promptKeeper = new PromptKeeper({
    ...{ book: prompts, compiler, hasExamples, now, store: new PromptStore(store) },
    publishesFiles: () => control.config.prompts?.publish !== 'manual',
    findMissingModel: ({ model = control.config.prompts?.model, overrides }) => {
      if (model !== undefined) return isModel(model) ? undefined : `the model '${model}', which there is not`;
      return overrides.has('model') ? undefined : "no model, and the configuration has no 'prompts.model'";
    },
    onSlips: (slips) => tellSlips(news, slips),
    onChange: (change, by) => tellPromptChange(news, change, by),
    onBrokenVersion: (broken) => tellBrokenVersion(news, broken),
    onStrays: (strays) => tellStrays(news, strays),
    onRetired: (versions) => tellRetired(news, versions),
  });
  const promptWatch = new PromptWatch({
    keeper: promptKeeper,
    directory: () => findPromptDirectory(control.config.prompts?.directory, configFile),
    ...{ hasExamples, now, schedule: scheduleTimeout },
    onBroken: (broken) => tellBrokenPrompt(news, broken),
    onUnreadable: (directory, error) => tellUnreadablePrompts(news, directory, error),
    onFailure: (error) => tellPromptsBehind(news, error),
  });
  let shared: SharedAnswers | undefined;
  if (state.kind !== 'memory') {
    const { RedisAnswers } = await import('./prompts/redis-answers.ts');
    shared = new RedisAnswers({
      url: state.url,
      replyMs: stateTimeout,
      ...{ now, schedule: scheduleTimeout },
      onAway: (err) =>
        log.warn({ err }, 'the Redis has no answers of prompts at the moment: models are asked'),
    });
  }
  const promptAnswers = new AnswerCache(now, shared);
  const promptCache = new PromptCache({ answers: promptAnswers, prices, now });
  const promptModels = new PromptModels(prompts, promptCache);
  const closePrompts = () => {
    promptAnswers.close();
    return slowChecks.stop();
  };
  return { prompts, promptKeeper, promptWatch, promptCache, promptModels, closePrompts };
}
