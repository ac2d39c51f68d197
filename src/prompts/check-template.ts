import Handlebars from 'handlebars';
import { ESCAPE } from './marks.ts';
import { findMediaInputs } from './media-inputs.ts';
import { findNamedInputs, type NamedInput } from './named-inputs.ts';
import { PromptFileError } from './problem.ts';
import { saysNothing } from './says-nothing.ts';
import { HELPERS } from './template-helpers.ts';

/** The roles that a prompt has, in dotprompt's words. */
const ROLES: ReadonlySet<string> = new Set(['system', 'user', 'model', 'tool']);

/** Where a template calls a partial. */
export interface PartialCall {
  name: string;
  /** Of the file. */
  line: number;
  /** It is about the same as the template, whose conditions hold there as well. */
  isOfSame: boolean;
}

/** What a template asks for. */
export interface TemplateNeeds {
  partials: readonly PartialCall[];
  /** Of the file: where an earlier conversation goes, if it is said. */
  historyLine: number | undefined;
  /** Inputs that it has as media. */
  media: ReadonlySet<string>;
  /** Inputs that it names, with their lines in the file. */
  named: readonly NamedInput[];
  /** Nothing in it could stand in a message; its partials may have something. */
  saysNothing: boolean;
}

/**
 * Reads what a template may hold, and what it needs, without rendering it. What decides about messages stands in the template itself:
 * the name of a role or a partial that an input gives would open what the input wants.
 *
 * @param before lines of the file before the template
 * @throws PromptFileError
 */
export function checkTemplate(template: string, before: number): TemplateNeeds {
  const mark = template.indexOf(ESCAPE);
  if (mark >= 0) {
    const line = before + template.slice(0, mark).split('\n').length;
    throw new PromptFileError('the character U+E0F0 may not stand in a template', line);
  }
  const checker = new Checker(before);
  const program = parse(template, before);
  checker.accept(program);
  const named = findNamedInputs(program, HELPERS).map(({ name, line }) => ({ name, line: before + line }));
  const { partials, historyLine } = checker;
  const media = findMediaInputs(program);
  return { partials, historyLine, media, named, saysNothing: saysNothing(program) };
}

function parse(template: string, before: number): hbs.AST.Program {
  try {
    return Handlebars.parse(template);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const line = /^Parse error on line (\d+):/.exec(message)?.[1] ?? / - (\d+):\d+$/.exec(message)?.[1];
    const words = message.split('\n');
    const said = words.length > 1 ? (words.at(-1) ?? message) : message.replace(/ - \d+:\d+$/, '');
    const what = said.endsWith("got 'EOF'") ? 'it ends before all that it opens is closed' : said;
    throw new PromptFileError(`the template is not valid Handlebars: ${what}`, before + Number(line ?? 1), {
      cause: error,
    });
  }
}

/** Blocks in which the template is about the same as outside. */
const OF_SAME: ReadonlySet<string> = new Set(['if', 'unless', 'ifEquals', 'unlessEquals']);

class Checker extends Handlebars.Visitor {
  readonly partials: PartialCall[] = [];
  historyLine: number | undefined;
  readonly #before: number;
  /** How many blocks around are about something else than the template. */
  #depth = 0;
  /** What the blocks around call their items: where one is called as a helper is, it is the item. */
  readonly #items: string[] = [];

  constructor(before: number) {
    super();
    this.#before = before;
  }

  override MustacheStatement(mustache: hbs.AST.MustacheStatement): void {
    this.#call(mustache);
    super.MustacheStatement(mustache);
  }

  override BlockStatement(block: hbs.AST.BlockStatement): void {
    this.#call(block);
    const isOther = !OF_SAME.has(nameOf(block.path));
    if (isOther) this.#depth += 1;
    super.BlockStatement(block);
    if (isOther) this.#depth -= 1;
  }

  override Program(program: hbs.AST.Program): void {
    const outer = this.#items.length;
    for (const name of program.blockParams ?? []) this.#items.push(name);
    super.Program(program);
    this.#items.length = outer;
  }

  override SubExpression(expression: hbs.AST.SubExpression): void {
    this.#call(expression);
    super.SubExpression(expression);
  }

  override PartialStatement(partial: hbs.AST.PartialStatement): void {
    this.#partial(partial);
    super.PartialStatement(partial);
  }

  override PartialBlockStatement(partial: hbs.AST.PartialBlockStatement): void {
    this.#refuse(partial, 'blocks with a partial around them are not supported');
  }

  override DecoratorBlock(block: hbs.AST.DecoratorBlock): void {
    this.#refuse(block, 'decorators and inline partials are not supported');
  }

  override Decorator(decorator: hbs.AST.Decorator): void {
    this.#refuse(decorator, 'decorators and inline partials are not supported');
  }

  #partial(partial: hbs.AST.PartialStatement): void {
    const { name } = partial;
    if (name.type === 'SubExpression') this.#refuse(partial, 'the name of a partial must be written out');
    const { params, hash, loc } = partial as hbs.AST.PartialStatement & hbs.AST.Node;
    if (params.length > 1) this.#refuse(partial, 'a partial is about one value: {{> NAME VALUE}}');
    this.partials.push({
      name: String((name as hbs.AST.PathExpression).original),
      line: this.#lineAt(loc),
      isOfSame: this.#depth === 0 && params.length === 0 && (hash?.pairs.length ?? 0) === 0,
    });
  }

  #call(node: hbs.AST.MustacheStatement | hbs.AST.BlockStatement | hbs.AST.SubExpression): void {
    const { params, hash } = node;
    const name = nameOf(node.path);
    const isCall = params.length > 0 || (hash?.pairs.length ?? 0) > 0 || node.type === 'SubExpression';
    const isItem = this.#items.includes(name);
    if (isItem && !isCall) return;
    if (isCall && (isItem || !HELPERS.has(name))) this.#refuse(node, `there is no helper '${name}'`);
    if (name === 'history') this.historyLine ??= this.#lineAt(node.loc);
    const [first] = params;
    const written = first?.type === 'StringLiteral' ? (first as hbs.AST.StringLiteral).value : undefined;
    if (name === 'section' && isCall && written === undefined)
      this.#refuse(node, 'the name of a section is written out');
    if (name === 'role' && (written === undefined || !ROLES.has(written)))
      this.#refuse(node, `a role is written out: ${[...ROLES].map((one) => `{{role "${one}"}}`).join(', ')}`);
    this.#checkShape(node, name);
  }

  #checkShape(
    node: hbs.AST.MustacheStatement | hbs.AST.BlockStatement | hbs.AST.SubExpression,
    name: string,
  ) {
    const shape = HELPERS.get(name);
    if (!shape) return;
    const { params, hash } = node;
    const fields = new Set(hash?.pairs.map(({ key }) => key));
    const isWhole = shape.fields?.every((field) => fields.has(field)) ?? true;
    if (isWhole && params.length === shape.params && (node.type === 'BlockStatement') === shape.isBlock)
      return;
    const isValue = params.length === 0 && fields.size === 0;
    const advice = isValue ? `; an input of this name is {{this.${name}}}` : '';
    this.#refuse(node, `'${name}' is a helper, and called so: ${shape.written}${advice}`);
  }

  #lineAt(loc: hbs.AST.SourceLocation | undefined): number {
    return this.#before + (loc?.start.line ?? 1);
  }

  #refuse({ loc }: hbs.AST.Node, message: string): never {
    throw new PromptFileError(message, this.#lineAt(loc));
  }
}

function nameOf(path: hbs.AST.PathExpression | hbs.AST.Literal): string {
  return 'original' in path ? String(path.original) : '';
}
