/** What the parts of the walk share: the build as they know it, the rules in force, and the warnings so far. */
import type { SourceLocation } from '../../errors.ts';
import type { Instruction } from '../instruction.ts';
import type { Rule, Sight, Warning } from './rule.ts';

/** What a base image brings into a stage: members of its `config`. */
export interface BaseConfig {
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[];
}

/** The build, as far as the language does not know it. What is not given is not checked. */
export interface LintOptions {
  readonly file?: string;
  /** Only what this stage needs is looked at; every stage by default. */
  readonly target?: string;
  /** Without a target, only what the last stage needs is looked at: what a build would meet. */
  readonly neededOnly?: boolean;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** ARGs that exist without being declared: `TARGETPLATFORM` and so on. */
  readonly platformArgs?: Readonly<Record<string, string>>;
  /** Whether `.dockerignore` leaves a path out of the context. */
  readonly isIgnored?: (path: string) => boolean;
  /** Whether a name can be that of an image. */
  readonly isImageName?: (name: string) => boolean;
  /** Throws for what is no platform. */
  readonly parsePlatform?: (text: string) => { readonly os: string; readonly architecture: string };
  /** The configuration of an image that FROM or `--from` names, for FROM's own platform; throws if there is no such image. */
  readonly resolveImage?: (name: string, platform?: string) => Promise<BaseConfig>;
  /** Throws for an instruction, its words expanded, that a build would refuse. EXPOSE comes one port at a time. */
  readonly judge?: (instruction: Instruction) => void;
}

/** The rules in force, by what they look at: most look at one thing, and there are many instructions. */
export type RulesBySight = { readonly [S in Sight]: readonly (Rule & Required<Pick<Rule, S>>)[] };

export function rulesBySight(rules: readonly Rule[]): RulesBySight {
  const seeing = <S extends Sight>(sight: S) =>
    rules.filter((rule): rule is Rule & Required<Pick<Rule, S>> => rule[sight] !== undefined);
  return {
    checkText: seeing('checkText'),
    checkNode: seeing('checkNode'),
    checkStages: seeing('checkStages'),
    checkStageName: seeing('checkStageName'),
    checkDefaultBase: seeing('checkDefaultBase'),
    checkFromWord: seeing('checkFromWord'),
    checkVariables: seeing('checkVariables'),
    checkStep: seeing('checkStep'),
  };
}

export interface Walk {
  readonly rules: RulesBySight;
  readonly warnings: Warning[];
  readonly file: string;
  readonly options: LintOptions;
}

/** Notes what a rule found. */
export function report(
  { warnings }: Walk,
  rule: Rule,
  detail: string,
  location: SourceLocation,
): void {
  const { name, description, page } = rule;
  const url = `https://docs.docker.com/go/dockerfile/rule/${page}/`;
  warnings.push({ ruleName: name, description, url, detail, location });
}
