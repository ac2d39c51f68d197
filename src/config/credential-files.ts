import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { decodeUtf8 } from '../conversation/utf8.ts';
import { credential, type Secret } from './fields.ts';

/** The credential in a file, without the line end that editors put behind it; or what is wrong with the file. */
export function readCredentialFile(path: string): { credential: Secret } | { problem: string } {
  let text: string | undefined;
  try {
    text = decodeUtf8(readFileSync(resolve(path)));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    return { problem: `the file cannot be read (${code})` };
  }
  if (text === undefined) return { problem: 'expected a file in UTF-8' };
  const parsed = credential().safeParse(text.replace(/\r?\n$/, ''));
  if (parsed.success) return { credential: parsed.data };
  return { problem: `expected a file with ${parsed.error.issues[0]?.message ?? 'a credential'}` };
}
