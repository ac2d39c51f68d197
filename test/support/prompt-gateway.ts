import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startGateway, TEST_KEY, type TestGateway } from './gateway.ts';

/** A gateway with these prompt files, by their paths; the tenant `acme` may call all of them, and no model. */
export async function startPrompts(
  files: Readonly<Record<string, string>>,
  config: object = {},
  fetchToken?: typeof fetch,
): Promise<TestGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), source);
  }
  const tenants = { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } };
  const gateway = await startGateway({ tenants, ...config, prompts: { directory } }, fetchToken);
  const stop = async () => {
    await gateway.stop();
    await rm(directory, { recursive: true });
  };
  return { ...gateway, stop };
}

/** An event of a stream. */
export interface PromptEvent {
  event: string;
  /** As it was sent. */
  data: string;
}

export function readEvents(text: string): PromptEvent[] {
  const frames = text.split('\n\n').filter((frame) => frame.startsWith('event: '));
  return frames.map((frame) => {
    const [event = '', data = ''] = frame.split('\n');
    return { event: event.slice('event: '.length), data: data.slice('data: '.length) };
  });
}
