import { RenderError } from './render-error.ts';

/** How often one rendering may repeat something: rounds of `each`, and partials. */
const MOST_ROUNDS = 100_000;
/** How many characters it may make, beside as many as it is given: whatever is sent may stand there once, however large it is. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

/** What one rendering does in all, counted before it is done: no input makes more of a template than a machine can bear. */
export class RenderBound {
  #rounds = 0;
  #characters = 0;

  /** Before each rendering. `given`: the characters of what comes from outside. */
  reset(given: number): void {
    this.#rounds = MOST_ROUNDS;
    this.#characters = MOST_CHARACTERS + given;
  }

  /** @throws RenderError */
  countRounds(rounds: number): void {
    this.#rounds -= rounds;
    if (this.#rounds < 0)
      throw new RenderError(`The prompt repeats something more than ${MOST_ROUNDS} times with this input.`);
  }

  /**
   * Of text that is made, written, copied or compared.
   *
   * @throws RenderError
   */
  countCharacters(characters: number): void {
    this.#characters -= characters;
    if (this.#characters < 0) throw new RenderError('The prompt becomes too large with this input.');
  }
}
