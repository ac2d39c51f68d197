import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { stringify } from 'yaml';
import { type LoadedConfig, readConfig } from '../config/load.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { fileOfPrompt } from '../prompts/prompt-directory.ts';
import { withModel } from '../prompts/prompt-file.ts';
import { openLog } from '../telemetry/redacting-log.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import type { CliIo } from './command.ts';
import type { TestedGateway } from './prompt-test-run.ts';
import type { RehearsedModel } from './rehearsed-release.ts';
import type { TestedPrompts } from './tested-prompts.ts';

/** What of a configuration decides how models answer; the rest is the operation's own. */
const KEPT = ['providers', 'models', 'prices'] as const;

/** What answers in place of what the configuration says. */
export interface Instead {
  /** The model that all prompts call, where not their own. */
  model: string | undefined;
  /** What one model stands on alone, where that is to be tried. */
  release: RehearsedModel | undefined;
}

/**
 * A gateway of this process with the providers, models and prompts of a configuration, and books of its own: what is tested shows nowhere else.
 */
export async function startTestGateway(
  loaded: LoadedConfig,
  tested: TestedPrompts,
  { model, release }: Instead,
  declarations: readonly ProviderDeclaration[],
  io: CliIo,
): Promise<TestedGateway & { stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-tests-'));
  try {
    const directory = model === undefined ? tested.directory : join(folder, 'prompts');
    if (model !== undefined) await writeWithModel(tested, model, directory);
    const [key, adminKey] = [makeSecret(), makeSecret()];
    const text = stringify({
      ...keptOf(loaded, release),
      server: { host: '127.0.0.1', port: 0 },
      prompts: {
        directory,
        ...(loaded.config.prompts?.model !== undefined && { model: loaded.config.prompts.model }),
      },
      tenants: { tests: { models: ['*'], prompts: ['*'], keys: [{ name: 'tests', secret: key }] } },
    });
    const { PORT: _port, HOST: _host, ...env } = io.env;
    const context = {
      env: { ...env, FAIRLEAD_DATA: folder, FAIRLEAD_ADMIN_KEY: adminKey },
      knownProviders: declarations,
    };
    const { startApp } = await import('../app.ts');
    const sink = new Writable({
      write: (chunk, _encoding, done) => {
        io.stderr.write(String(chunk));
        done();
      },
    });
    const app = await startApp(
      readConfig(text, loaded.config.file, context),
      declarations,
      openLog('error', sink),
    );
    return {
      ...{ url: app.url, key, adminKey, model: undefined },
      stop: async () => {
        await app.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function keptOf({ written }: LoadedConfig, release: RehearsedModel | undefined): JsonObject {
  const kept = Object.fromEntries(KEPT.map((name) => [name, written[name] ?? {}]));
  if (!release) return kept;
  const models = isObject(kept['models']) ? kept['models'] : {};
  // Nobody else answers in its place: what it cannot do is to be seen.
  const { fallbacks: _, ...model } = models[release.model] as JsonObject;
  return { ...kept, models: { ...models, [release.model]: { ...model, targets: [release.release] } } };
}

function makeSecret(): string {
  return `sk-fl-${randomBytes(24).toString('hex')}`;
}

/** The prompts with another model in their front matter: also those that let no caller set it. */
async function writeWithModel(
  { prompts, partials }: TestedPrompts,
  model: string,
  directory: string,
): Promise<void> {
  const files = [
    ...prompts.map(({ name, sources }) => [fileOfPrompt(name), withModel(sources.source, model)] as const),
    ...partials,
  ];
  for (const [path, source] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), source);
  }
}
