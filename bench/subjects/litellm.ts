import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { findCommand, findFreePort, startServing } from '../processes.ts';
import { versionOf } from '../scenarios.ts';
import type { Site, Subject } from './subject.ts';

/** LiteLLM's proxy as its command starts it, with one worker and no database: it checks one key, and has no limits or records. */
export const litellm: Subject = {
  name: 'litellm',
  isOptional: true,
  shareOfCalls: { call: 0.005, chunk: 0.1 },
  findMissing: () =>
    findCommand('litellm') === undefined
      ? "litellm is not on the PATH (pip install 'litellm[proxy]')"
      : undefined,
  async start(site) {
    const { directory, cpus } = site;
    const port = await findFreePort();
    const configFile = join(directory, 'litellm.yaml');
    writeFileSync(configFile, renderConfig(site));
    const { process, startMs } = await startServing(
      {
        command: findCommand('litellm') ?? 'litellm',
        args: ['--config', configFile, '--host', '127.0.0.1', '--port', String(port)],
        cpus,
        logFile: join(directory, 'litellm.log'),
        env: { LITELLM_LOG: 'ERROR', LITELLM_LOCAL_MODEL_COST_MAP: 'True' },
      },
      `http://127.0.0.1:${port}/health/liveliness`,
      120_000,
    );
    return { port, process, startMs, version: '', rewritesAnswers: true };
  },
};

function renderConfig({ scenarios, upstreamPort, apiKey }: Site): string {
  const upstream = `http://127.0.0.1:${upstreamPort}`;
  return stringify({
    model_list: scenarios.map(({ name, translated }) => ({
      model_name: name,
      litellm_params: translated
        ? { model: `anthropic/${versionOf(name)}`, api_base: upstream, api_key: 'sk-upstream' }
        : { model: `openai/${versionOf(name)}`, api_base: `${upstream}/v1`, api_key: 'sk-upstream' },
    })),
    general_settings: { master_key: apiKey },
    litellm_settings: { num_retries: 0, drop_params: true },
  });
}
