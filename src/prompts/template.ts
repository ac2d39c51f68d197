import { Dotprompt, type Message as DotpromptMessage, type PromptFunction } from 'dotprompt';
import Handlebars from 'handlebars';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { Helpers } from './helpers.ts';
import { hideMarksIn, showMarksIn } from './marks.ts';
import { RenderError } from './render-error.ts';

export type RenderedMessage = DotpromptMessage;

/** What a template is rendered with, all of it from outside. */
export interface TemplateData {
  input: JsonObject;
  /** Earlier messages of the conversation, in dotprompt's form. */
  messages?: RenderedMessage[];
  /** What the template has as `@NAME`. */
  context?: JsonObject;
}

/** A template of its own partials and helpers. Its text was checked (`check-template.ts`). */
export class PromptTemplate {
  readonly #template: string;
  readonly #partials: Readonly<Record<string, string>>;
  readonly #helpers = new Helpers();
  #render: Promise<PromptFunction> | undefined;

  constructor(template: string, partials: Readonly<Record<string, string>>) {
    this.#template = template;
    this.#partials = partials;
  }

  /** @throws RenderError where the input is to blame */
  async render({ input, messages, context }: TemplateData): Promise<RenderedMessage[]> {
    this.#render ??= new IsolatedDotprompt(this.#helpers, this.#partials).compile({
      template: this.#template,
    });
    const render = await this.#render;
    const hidden = hideMarksIn({
      input,
      messages: (messages ?? []) as unknown as JsonValue,
      context: context ?? {},
    });
    try {
      this.#helpers.reset();
      const rendered = await render(hidden as Parameters<PromptFunction>[0]);
      return showMarksIn(rendered.messages as unknown as JsonValue) as unknown as RenderedMessage[];
    } catch (error) {
      if (error instanceof RenderError) throw error;
      // Handlebars tells what a value is that it cannot do with; its own faults are these, too.
      const reason = error instanceof Error ? error.message : String(error);
      throw new RenderError(`The prompt cannot be made with this input: ${reason}`, { cause: error });
    }
  }
}

/** `Dotprompt` shares one Handlebars with all others of the process, and their partials and helpers with it: here each has its own. */
class IsolatedDotprompt extends Dotprompt {
  constructor(helpers: Helpers, partials: Readonly<Record<string, string>>) {
    super();
    Object.assign(this, { handlebars: Handlebars.create() });
    for (const [name, helper] of Object.entries({ ...MARKS, ...helpers.all }))
      this.defineHelper(name, helper);
    for (const [name, source] of Object.entries(partials)) this.definePartial(name, source);
  }
}

/** Their arguments stand in the template: `check-template.ts` lets no others pass. */
const MARKS = {
  role: (role: string) => `<<<dotprompt:role:${role}>>>`,
  history: () => '<<<dotprompt:history>>>',
  section: (name: string) => `<<<dotprompt:section ${name}>>>`,
};
