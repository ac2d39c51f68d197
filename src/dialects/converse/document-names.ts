const MAX_LENGTH = 200;
const EXTENSION = /\.[A-Za-z0-9]{1,5}$/;

/**
 * Gives the documents of one request their names. The service takes few characters in them, and each name once in the
 * whole conversation.
 *
 * Source: Bedrock API reference (`DocumentBlock.name`); maximhq/bifrost#7003 for the uniqueness.
 */
export class DocumentNames {
  readonly #used = new Set<string>();
  #count = 0;

  name(filename: string | undefined): string {
    this.#count++;
    const wished = sanitize(filename ?? '') || `Document ${this.#count}`;
    let name = wished;
    for (let copy = 2; this.#used.has(name.toLowerCase()); copy++) name = `${wished} (${copy})`;
    this.#used.add(name.toLowerCase());
    return name;
  }
}

function sanitize(filename: string): string {
  return filename
    .replace(EXTENSION, '')
    .replace(/[^A-Za-z0-9\s\-()[\]]/g, '-')
    .replace(/\s+/g, ' ')
    .replace(/-{2,}/g, '-')
    .replace(/^[\s-]+|[\s-]+$/g, '')
    .slice(0, MAX_LENGTH - ' (999)'.length)
    .trim();
}
