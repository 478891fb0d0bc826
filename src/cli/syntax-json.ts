/** A Dockerfile's syntax tree in the JSON form that `tsbuild parse` prints; field by field, so that it is stable. */
import type { SyntaxNode, SyntaxTree } from '../dockerfile/syntax.ts';

export function syntaxJson(tree: SyntaxTree): object {
  const directives = Object.entries(tree.directives).map(([name, { value }]) => [name, value]);
  return {
    escape: tree.escape,
    directives: Object.fromEntries(directives),
    instructions: tree.nodes.map(nodeJson),
  };
}

function nodeJson(node: SyntaxNode): object {
  const { name, line, endLine, flags, form, args, pairs, trigger, raw } = node;
  const heredocs = node.heredocs.map(({ name, content, expand, chomp, fd }) => {
    return { name, content, expand, chomp, fd };
  });
  return {
    name,
    line,
    endLine,
    flags,
    form,
    args,
    ...(pairs === undefined
      ? {}
      : { pairs: pairs.map(({ key, value, separator }) => ({ key, value, sep: separator })) }),
    ...(trigger === undefined ? {} : { trigger: nodeJson(trigger) }),
    heredocs,
    raw,
  };
}
