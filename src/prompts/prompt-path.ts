import { readReference } from './versions.ts';

/** The path of `NAME` or `NAME@VERSION`, as a URL has it (RFC 3986 3.3): `/v1/prompts/support/triage@3`. */
export function promptPath(reference: string): string {
  const { name, version } = readReference(reference);
  const path = name.split('/').map(encodeURIComponent).join('/');
  return `/v1/prompts/${path}${version === undefined ? '' : `@${version}`}`;
}
