import type { FakeProvider } from '../../support/fake-provider.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import type { DoorClient } from '../door-client.ts';
import { openDoors } from '../doors.ts';
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
  const once = kinds.map(({ name, model }) => {
    return [`once-${name}`, { targets: [`${name}/${model}`], retries: 0 }] as const;
  });
  const gateway = await startGateway({
    providers: Object.fromEntries(described),
    models: Object.fromEntries(once),
  });
  return {
    gateway,
    fakes,
    doors: openDoors(gateway.url),
    close: async () => {
      await gateway.stop();
      await Promise.all([...fakes.values()].map((fake) => fake.close()));
    },
  };
}
