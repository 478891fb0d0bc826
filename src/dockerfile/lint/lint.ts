/** The walk that shows a Dockerfile to the rules, in the order in which a build would meet its parts. */
import { isTsbuildError, TsbuildError } from '../../errors.ts';
import type { Instruction } from '../instruction.ts';
import { type Dockerfile, parseSyntax, typeNode } from '../parse.ts';
import {
  beforeFirstStage,
  checkStageReferences,
  findTarget,
  type Stage,
  splitStages,
} from '../stages.ts';
import type { SyntaxTree } from '../syntax.ts';
import { sourceLocation } from '../syntax-error.ts';
import { checkOptions, isEnabled } from './check-options.ts';
import type { Warning } from './rule.ts';
import { RULES } from './rules.ts';
import { type LintOptions, report, rulesBySight, type Walk } from './walk.ts';
import { walkBases } from './walk-bases.ts';
import { neededStages, walkStages } from './walk-stages.ts';

export interface LintResult {
  readonly warnings: readonly Warning[];
  /** What a build would end with. Warnings are those found before. */
  readonly error?: TsbuildError;
}

/**
 * Checks a Dockerfile, which may have been parsed. An error in it, or one that the options throw, is part of the result.
 */
export async function lint(
  source: string | Uint8Array | Dockerfile,
  options: LintOptions = {},
): Promise<LintResult> {
  const warnings: Warning[] = [];
  try {
    const tree = isParsed(source) ? source : parseSyntax(source, options);
    const asked = checkOptions(tree, options.buildArgs ?? {});
    const rules = rulesBySight(RULES.filter((rule) => isEnabled(rule, asked)));
    const file = options.file ?? 'Dockerfile';
    await walk(tree, { rules, warnings, file, options });
    if (asked.error && warnings.length > 0) throw violation(warnings);
    return { warnings };
  } catch (error) {
    if (!isTsbuildError(error)) throw error;
    return { warnings, error: error as TsbuildError };
  }
}

function isParsed(source: string | Uint8Array | Dockerfile): source is Dockerfile {
  return typeof source === 'object' && 'nodes' in source;
}

async function walk(tree: SyntaxTree | Dockerfile, lintWalk: Walk): Promise<void> {
  const { target, neededOnly } = lintWalk.options;
  walkText(tree, lintWalk);
  const dockerfile = walkNodes(tree, lintWalk);
  const { stages, globalArgs } = splitStages(dockerfile);
  for (const rule of lintWalk.rules.checkStages) {
    const [first] = stages;
    rule.checkStages(stages, (detail, location) => {
      report(lintWalk, rule, detail, location ?? first!.from.location);
    });
  }
  walkStageNames(stages, lintWalk);
  const bases = walkBases({ stages, globalArgs, escape: tree.escape }, lintWalk);
  checkStageReferences(stages);
  const needed = target || neededOnly ? neededStages(bases, findTarget(stages, target)) : bases.all;
  await walkStages(bases, needed, lintWalk);
}

function walkText({ nodes, lines }: SyntaxTree, lintWalk: Walk): void {
  for (const node of nodes) {
    for (const rule of lintWalk.rules.checkText) {
      rule.checkText(node, (detail, line) =>
        report(lintWalk, rule, detail, sourceLocation(lintWalk.file, lines, line, line)),
      );
    }
  }
}

/** Shows each node to the rules, then judges it, unless that has been done. */
function walkNodes(tree: SyntaxTree | Dockerfile, lintWalk: Walk): Dockerfile {
  const { file, rules } = lintWalk;
  const known = 'instructions' in tree ? tree.instructions : undefined;
  const instructions: Instruction[] = [];
  let hasStage = false;
  for (const [at, node] of tree.nodes.entries()) {
    const location =
      known?.[at]?.location ?? sourceLocation(file, tree.lines, node.line, node.endLine);
    for (const rule of rules.checkNode) {
      rule.checkNode(node, (detail) => report(lintWalk, rule, detail, location));
    }
    const instruction = known?.[at] ?? typeNode(node, location);
    hasStage ||= instruction.kind === 'from';
    if (!hasStage && instruction.kind !== 'arg') throw beforeFirstStage(instruction);
    instructions.push(instruction);
  }
  return { ...tree, file, instructions };
}

function walkStageNames(stages: readonly Stage[], lintWalk: Walk): void {
  const earlier = new Set<string>();
  for (const { name, from } of stages) {
    if (name === undefined) continue;
    for (const rule of lintWalk.rules.checkStageName) {
      rule.checkStageName(name, earlier, (detail) => report(lintWalk, rule, detail, from.location));
    }
    earlier.add(name);
  }
}

function violation(warnings: readonly Warning[]): TsbuildError {
  const names = [...new Set(warnings.map(({ ruleName }) => ruleName))].sort();
  return new TsbuildError('CHECK_FAILED', `lint violation found for rules: ${names.join(', ')}`, {
    hint: 'the Dockerfile asks for it with `# check=error=true`',
    location: warnings[0]!.location,
  });
}
