import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { parseDocument, stringify } from 'yaml';
import { type LoadedConfig, readConfig } from '../config/load.ts';
import { openLog } from '../telemetry/redacting-log.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import type { CliIo } from './command.ts';
import type { TestedGateway } from './prompt-test-run.ts';

/** What of a configuration decides how models answer; the rest is the operation's own. */
const KEPT = ['providers', 'models', 'prices'] as const;

/**
 * A gateway of this process with the providers, models and prompts of a configuration, and books of its own: what is tested shows nowhere else.
 *
 * @param model the one that all prompts call, where not their own
 */
export async function startTestGateway(
  loaded: LoadedConfig,
  promptDirectory: string,
  model: string | undefined,
  declarations: readonly ProviderDeclaration[],
  io: CliIo,
): Promise<TestedGateway & { stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-tests-'));
  try {
    const directory = model === undefined ? promptDirectory : join(folder, 'prompts');
    if (model !== undefined) await copyWithModel(promptDirectory, directory, model);
    const [key, adminKey] = [makeSecret(), makeSecret()];
    const text = stringify({
      ...Object.fromEntries(KEPT.map((name) => [name, loaded.written[name] ?? {}])),
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

function makeSecret(): string {
  return `sk-fl-${randomBytes(24).toString('hex')}`;
}

/** The prompts with another model in their front matter: also those that let no caller set it. */
async function copyWithModel(from: string, to: string, model: string): Promise<void> {
  await cp(from, to, { recursive: true });
  for (const path of await readdir(to, { recursive: true })) {
    if (!path.endsWith('.prompt')) continue;
    const source = await readFile(join(to, path), 'utf8');
    const [, frontMatter, body] = /^---\s*\n([\s\S]*?)\n---\s*\n([\s\S]*)$/.exec(source) ?? [];
    const document = parseDocument(frontMatter ?? '');
    document.set('model', model);
    await writeFile(join(to, path), `---\n${document.toString()}---\n${body ?? source}`);
  }
}
