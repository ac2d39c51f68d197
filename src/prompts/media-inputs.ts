import Handlebars from 'handlebars';

/** A block that has a context of its own: the one input that this is, or whose items they are; `undefined` where it is none, or within one. */
interface Scope {
  input: string | undefined;
  /** What the block calls it: `{{#each pictures as |picture|}}`. */
  alias: string | undefined;
}

/** Which inputs a template has as media, `{{media url=picture}}`, so that they may be files. */
export function findMediaInputs(program: hbs.AST.Program): Set<string> {
  const finder = new Finder();
  finder.accept(program);
  return finder.inputs;
}

class Finder extends Handlebars.Visitor {
  readonly inputs = new Set<string>();
  readonly #scopes: Scope[] = [];

  override MustacheStatement(mustache: hbs.AST.MustacheStatement): void {
    if (!isPath(mustache.path) || mustache.path.original !== 'media') return;
    const url = mustache.hash?.pairs.find(({ key }) => key === 'url')?.value;
    const input = url && this.#resolve(url);
    if (input !== undefined) this.inputs.add(input);
  }

  override BlockStatement(block: hbs.AST.BlockStatement): void {
    const { path, params, inverse } = block;
    // There is none of `{{^each pictures}}…{{/each}}`.
    const program: hbs.AST.Program | undefined = block.program;
    const [subject] = params;
    const hasOwn = isPath(path) && (path.original === 'each' || path.original === 'with');
    if (hasOwn && subject)
      this.#scopes.push({ input: this.#resolve(subject), alias: program?.blockParams?.[0] });
    if (program) this.accept(program);
    if (hasOwn && subject) this.#scopes.pop();
    if (inverse) this.accept(inverse);
  }

  #resolve(expression: hbs.AST.Expression): string | undefined {
    if (expression.type === 'SubExpression') {
      const { path, params } = expression as hbs.AST.SubExpression;
      const [list] = params;
      return isPath(path) && path.original === 'lookup' && list ? this.#resolve(list) : undefined;
    }
    if (!isPath(expression)) return undefined;
    const { data, depth, parts } = expression;
    const [first, ...inner] = parts;
    // What is within an object is no field of a form.
    if (data) return first === 'root' && inner.length === 1 ? inner[0] : undefined;
    if (inner.length > 0) return undefined;
    const aliased = this.#scopes.findLast(({ alias }) => alias !== undefined && alias === first);
    if (aliased) return aliased.input;
    const scope = this.#scopes.at(-1 - depth);
    if (!scope) return first;
    return first === undefined ? scope.input : undefined;
  }
}

function isPath(node: hbs.AST.Node): node is hbs.AST.PathExpression {
  return node.type === 'PathExpression';
}
