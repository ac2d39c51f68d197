/** Numbers notes in the order in which they are first needed; the same note has one number. */
export class Footnotes {
  readonly #notes: string[] = [];

  /** The mark that stands where the note belongs. */
  mark(note: string): string {
    const known = this.#notes.indexOf(note);
    const number = known === -1 ? this.#notes.push(note) : known + 1;
    return `<sup>${number}</sup>`;
  }

  get lines(): string[] {
    return this.#notes.map((note, index) => `${index + 1}. ${note}`);
  }
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text in backticks; what would end a cell of a table is kept out of it. */
export function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

export function codes(texts: readonly string[]): string {
  return texts.length === 0 ? '' : texts.map(code).join(', ');
}
