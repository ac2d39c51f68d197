import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildPromptFile } from '../traffic/chat-bodies.ts';
import { oneTenant, readVersion, startFairlead } from './fairlead.ts';
import type { RunningSubject, Site, Subject } from './subject.ts';

/** Whichever of them is measured. */
const SCENARIOS = ['prompt-2kb', 'many-prompts'];
const PROMPTS = 1_000;
const FOLDERS = 10;

/** The same gateway, whose calls are of a prompt: what it checks and renders is what they cost more than plain ones. */
export const fairleadPrompt: Subject = { name: 'fairlead-prompt', start: (site) => startWith(site, 1) };

/** The same with very many prompts, which are new to it when it starts. */
export const fairleadPrompts: Subject = {
  name: 'fairlead-prompts',
  start: (site) => startWith(site, PROMPTS),
};

async function startWith(site: Site, count: number): Promise<RunningSubject> {
  const folder = join(site.directory, 'prompts');
  const { name: model = '', requestBytes = 0 } =
    site.scenarios.find(({ name }) => SCENARIOS.includes(name)) ?? {};
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bench.prompt'), buildPromptFile(model, requestBytes));
  for (let number = 1; number < count; number++) {
    const inner = join(folder, `of-team-${number % FOLDERS}`);
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(inner, `prompt-${number}.prompt`), buildPromptFile(model, requestBytes));
  }
  const started = await startFairlead(site, oneTenant(site));
  return { ...started, version: readVersion(), prompt: 'bench' };
}
