import { describe, test } from 'node:test';
import { testFeatures, testMedia, testReasoning, testText, testTools } from './door-bodies.ts';
import { openDoors } from './doors.ts';
import { inTurn, startWorld } from './support.ts';

/** What the matrix does not ask: several turns and rounds, choices of tools, loops that change their model, files. */
const world = await startWorld();

for (const [at, door] of openDoors(world.url).entries()) {
  const asked = inTurn(world, at);
  describe(door.sdk, () => {
    testText(asked, door);
    testTools(asked, door);
    testFeatures(asked, door, ['reasoning']);
    testReasoning(asked, door);
    testMedia(asked, door);
  });
}

test('the usage records say what the providers served', () => world.checkBooks());
