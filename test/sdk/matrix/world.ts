import OpenAI from 'openai';
import type { FakeProvider } from '../../support/fake-provider.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../../support/gateway.ts';
import { anthropicClient, anthropicDoor } from '../anthropic/client.ts';
import type { DoorClient } from '../door-client.ts';
import { googleClient, googleDoor } from '../gemini/client.ts';
import { olderGoogleDoor } from '../gemini/older-client.ts';
import { chatDoor } from '../openai/door.ts';
import { responsesDoor } from '../responses/client.ts';
import type { ProviderKind } from './providers.ts';

/** One gateway with a strict fake of each kind of provider behind it, and every official SDK in front of it. */
export interface MatrixWorld {
  gateway: TestGateway;
  doors: DoorClient[];
  fakes: Map<ProviderKind, FakeProvider>;
  close(): Promise<void>;
}

export async function startMatrixWorld(kinds: readonly ProviderKind[]): Promise<MatrixWorld> {
  const fakes = new Map(await Promise.all(kinds.map(async (kind) => [kind, await kind.start()] as const)));
  const described = [...fakes].map(([{ name, adapter, settings }, { url, apiKey }]) => {
    return [name, { adapter, baseUrl: url, ...settings, accounts: [{ name: 'main', apiKey }] }] as const;
  });
  const gateway = await startGateway({ providers: Object.fromEntries(described) });
  const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  return {
    gateway,
    fakes,
    doors: [
      chatDoor(openai),
      responsesDoor(openai),
      anthropicDoor(anthropicClient(gateway.url)),
      googleDoor(googleClient(gateway.url)),
      olderGoogleDoor(gateway.url),
    ],
    close: async () => {
      await gateway.stop();
      await Promise.all([...fakes.values()].map((fake) => fake.close()));
    },
  };
}
