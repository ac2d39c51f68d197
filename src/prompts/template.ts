import { Dotprompt, type Message as DotpromptMessage, type PromptFunction } from 'dotprompt';
import Handlebars from 'handlebars';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { parseCounted, type TemplateText } from './counted-template.ts';
import { Helpers } from './helpers.ts';
import { charactersIn, ESCAPE, hideMarksIn, showMarksIn } from './marks.ts';
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
  readonly #template: TemplateText;
  readonly #partials: ReadonlyMap<string, TemplateText>;
  readonly #helpers = new Helpers();
  #render: Promise<PromptFunction> | undefined;

  /** `partials`: by their whole names. */
  constructor(template: TemplateText, partials: ReadonlyMap<string, TemplateText>) {
    this.#template = template;
    this.#partials = partials;
  }

  /** @throws RenderError where the input is to blame */
  async render({ input, messages, context }: TemplateData): Promise<RenderedMessage[]> {
    this.#render ??= new IsolatedDotprompt(this.#helpers, this.#template, this.#partials).compile({
      template: TEMPLATE,
    });
    const render = await this.#render;
    try {
      const hidden = {
        input: hideMarksIn(input) as JsonObject,
        messages: hideMarksIn((messages ?? []) as unknown as JsonValue),
        context: hideMarksIn(context ?? {}) as JsonObject,
      };
      const ofHistory = charactersIn(hidden.messages);
      this.#helpers.reset(charactersIn(hidden.input) + charactersIn(hidden.context) + ofHistory, ofHistory);
      const rendered = await render(hidden as unknown as Parameters<PromptFunction>[0]);
      const shown = showMarksIn(rendered.messages as unknown as JsonValue) as unknown as RenderedMessage[];
      return shown.map(withoutBlankParts);
    } catch (error) {
      if (error instanceof RenderError) throw error;
      // Handlebars tells what a value is that it cannot do with; its own faults are these, too.
      const reason = error instanceof Error ? error.message : String(error);
      throw new RenderError(`The prompt cannot be made with this input: ${reason}`, { cause: error });
    }
  }
}

/** A message that has nothing but blanks keeps its place, and one text; beside anything else they are no part of it. */
function withoutBlankParts(message: RenderedMessage): RenderedMessage {
  const { content } = message;
  if (content.length < 2) return message;
  const parts = content.filter(({ text }) => text === undefined || text.trim() !== '');
  return { ...message, content: parts.length > 0 ? parts : content.slice(0, 1) };
}

/**
 * `Dotprompt` shares one Handlebars with all others of the process, and their partials and helpers with it: here each has its own, which
 * counts what templates write.
 */
class IsolatedDotprompt extends Dotprompt {
  constructor(helpers: Helpers, template: TemplateText, partials: ReadonlyMap<string, TemplateText>) {
    super();
    const handlebars = Handlebars.create();
    const names = new Set([...Object.keys(handlebars.helpers), ...Object.keys(helpers.all)]);
    // What a partial means by a name depends on where it stands: each is given by its own name, and read here.
    handlebars.parse = (name) => parseCounted(partials.get(name) ?? template, names);
    const { compile } = handlebars;
    handlebars.compile = (name, options) => {
      const render = compile(name, options);
      return (context, runtime) => render(context, { ...runtime, ...OWN_ALONE });
    };
    Object.assign(this, { handlebars });
    for (const [name, helper] of Object.entries(helpers.all)) this.defineHelper(name, helper);
    for (const name of partials.keys()) this.definePartial(name, name);
  }
}

/** What all objects have is no input, which Handlebars would say on the console. */
const OWN_ALONE: Handlebars.RuntimeOptions = {
  allowProtoMethodsByDefault: false,
  allowProtoPropertiesByDefault: false,
};

/** Stands for the template itself, as no partial is called. */
const TEMPLATE = ESCAPE;
