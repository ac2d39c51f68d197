import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildPromptFile } from '../traffic/chat-bodies.ts';
import { oneTenant, readVersion, startFairlead } from './fairlead.ts';
import type { Subject } from './subject.ts';

const SCENARIO = 'prompt-2kb';

/** The same gateway, whose calls are of a prompt: what it checks and renders is what they cost more than plain ones. */
export const fairleadPrompt: Subject = {
  name: 'fairlead-prompt',
  async start(site) {
    const size = site.scenarios.find(({ name }) => name === SCENARIO)?.requestBytes ?? 0;
    mkdirSync(join(site.directory, 'prompts'), { recursive: true });
    writeFileSync(join(site.directory, 'prompts', 'bench.prompt'), buildPromptFile(SCENARIO, size));
    const started = await startFairlead(site, oneTenant(site));
    return { ...started, version: readVersion(), prompt: 'bench' };
  },
};
