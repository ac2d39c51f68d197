#!/usr/bin/env node
// Plain JavaScript on purpose: it must still run on the Node versions that it turns away.
import { existsSync } from 'node:fs';

const OLDEST_NODE = 24;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  console.error(
    `fairlead needs Node ${OLDEST_NODE} or newer, and this is Node ${process.versions.node}. ` +
      'In a checkout, `npm start` brings the right one along.',
  );
  process.exit(1);
}

// Compiled code is kept between starts, which halves the time they take.
const { enableCompileCache } = await import('node:module');
enableCompileCache();

// A checkout runs its TypeScript sources; the published package has none and runs what was bundled of them.
const sources = new URL('../src/main.ts', import.meta.url);
const built = new URL('../dist/main.js', import.meta.url);
const { main } = await import((existsSync(sources) ? sources : built).href);
process.exitCode = await main(process.argv.slice(2));
