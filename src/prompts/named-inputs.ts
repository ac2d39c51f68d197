import Handlebars from 'handlebars';

/** An input that a template names. */
export interface NamedInput {
  name: string;
  /** Of the template. */
  line: number;
}

/**
 * Which inputs a template names by themselves, outside of blocks that are about one of them: what is named there is within it.
 *
 * @param helpers what names no input where it is called
 */
export function findNamedInputs(
  program: hbs.AST.Program,
  helpers: Pick<ReadonlySet<string>, 'has'>,
): NamedInput[] {
  const finder = new Finder(helpers);
  finder.accept(program);
  return finder.named;
}

/** Blocks in which the context stays what it was. */
const SAME_CONTEXT: ReadonlySet<string> = new Set(['if', 'unless', 'ifEquals', 'unlessEquals']);

class Finder extends Handlebars.Visitor {
  readonly named: NamedInput[] = [];
  readonly #helpers: Pick<ReadonlySet<string>, 'has'>;
  /** How many contexts there are around this one. */
  #depth = 0;

  constructor(helpers: Pick<ReadonlySet<string>, 'has'>) {
    super();
    this.#helpers = helpers;
  }

  override MustacheStatement(mustache: hbs.AST.MustacheStatement): void {
    this.#call(mustache);
  }

  override SubExpression(expression: hbs.AST.SubExpression): void {
    this.#call(expression);
  }

  override BlockStatement(block: hbs.AST.BlockStatement): void {
    this.#call(block);
    const hasOwn = !SAME_CONTEXT.has(nameOf(block.path));
    if (hasOwn) this.#depth += 1;
    const program: hbs.AST.Program | undefined = block.program;
    if (program) this.accept(program);
    if (hasOwn) this.#depth -= 1;
    if (block.inverse) this.accept(block.inverse);
  }

  override PartialStatement({ params, hash }: hbs.AST.PartialStatement): void {
    this.acceptArray(params);
    if (hash) this.accept(hash);
  }

  override PathExpression({ data, depth, parts, loc }: hbs.AST.PathExpression): void {
    const [first, second] = parts;
    const name = data ? (first === 'root' ? second : undefined) : depth === this.#depth ? first : undefined;
    if (name !== undefined) this.named.push({ name, line: loc.start.line });
  }

  /** What is behind the name of a helper, or the name itself where it is none. */
  #call({
    path,
    params,
    hash,
  }: hbs.AST.MustacheStatement | hbs.AST.BlockStatement | hbs.AST.SubExpression): void {
    if (!this.#helpers.has(nameOf(path))) this.accept(path);
    this.acceptArray(params);
    if (hash) this.accept(hash);
  }
}

function nameOf(path: hbs.AST.PathExpression | hbs.AST.Literal): string {
  return path.type === 'PathExpression' ? (path as hbs.AST.PathExpression).original : '';
}
