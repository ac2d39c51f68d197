import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';

/**
 * The recorded provider traffic that lies beside the checkout (`../shared/wire`), when it does. The project
 * does not need it: a test that reads it passes `skipWithoutWire` to `test()`.
 */
const WIRE = fileURLToPath(new URL('../../../shared/wire/', import.meta.url));

export const skipWithoutWire: string | false = existsSync(WIRE)
  ? false
  : 'recorded provider traffic (../shared/wire) is not beside this checkout';

export interface Exchange {
  id: string;
  method: string;
  url: string;
  request: { headers: Record<string, string>; body: JsonValue };
  response: { status: number; headers: Record<string, string>; body: JsonValue };
}

export interface Recording {
  id: string;
  api: string;
  stream: boolean;
  /** `data:` payloads in order, where `stream`. */
  chunks?: string[];
  body?: JsonObject;
}

/** Exchanges of `exchanges/NAME.jsonl`; empty where the folder is missing. */
export function readExchanges(name: string): Exchange[] {
  return readLines(`exchanges/${name}.jsonl`) as unknown as Exchange[];
}

/** Recordings of `streams/NAME.jsonl`; empty where the folder is missing. */
export function readRecordings(name: string): Recording[] {
  return readLines(`streams/${name}.jsonl`) as unknown as Recording[];
}

/** Names of the files in a wire folder, without `.jsonl`. */
export function wireNames(folder: 'exchanges' | 'streams'): string[] {
  if (skipWithoutWire) return [];
  return readdirSync(WIRE + folder).map((file) => file.replace(/\.jsonl$/, ''));
}

function readLines(path: string): JsonValue[] {
  if (skipWithoutWire) return [];
  const lines = readFileSync(WIRE + path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as JsonValue);
}
