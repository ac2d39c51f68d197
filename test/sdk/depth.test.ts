import { describe, test } from 'node:test';
import { testFeatures, testMedia, testReasoning, testText, testTools } from './door-bodies.ts';
import { openDoors } from './doors.ts';
import { startWorld } from './support.ts';

/** What the matrix does not ask: several turns and rounds, choices of tools, loops that change their model, files. */
const world = await startWorld();

for (const door of openDoors(world.url)) {
  describe(door.sdk, () => {
    testText(world, door);
    testTools(world, door);
    testFeatures(world, door, ['reasoning']);
    testReasoning(world, door);
    testMedia(world, door);
  });
}

test('the usage records say what the providers served', () => world.checkBooks());
