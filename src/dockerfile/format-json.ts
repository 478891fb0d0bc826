/** The JSON of `tsbuild parse FILE --format json`, a stable interface: the syntactic level, member by member. */
import type { SyntaxNode, SyntaxTree } from './syntax.ts';

export function formatSyntax(tree: SyntaxTree): string {
  return `${JSON.stringify(syntaxToJson(tree), undefined, 2)}\n`;
}

export function syntaxToJson(tree: SyntaxTree): object {
  const values = Object.entries(tree.directives).map(([name, { value }]) => [name, value]);
  return {
    escape: tree.escape,
    directives: Object.fromEntries(values),
    instructions: tree.nodes.map(nodeToJson),
  };
}

function nodeToJson({
  name,
  line,
  endLine,
  flags,
  form,
  args,
  pairs,
  trigger,
  heredocs,
  raw,
}: SyntaxNode): object {
  return {
    name,
    line,
    endLine,
    flags,
    form,
    args,
    ...(pairs && {
      pairs: pairs.map(({ key, value, separator }) => ({ key, value, sep: separator })),
    }),
    ...(trigger && { trigger: nodeToJson(trigger) }),
    heredocs: heredocs.map(({ name, content, expand, chomp, fd }) => ({
      name,
      content,
      expand,
      chomp,
      fd,
    })),
    raw,
  };
}
