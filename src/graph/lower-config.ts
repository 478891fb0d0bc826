/** Instructions that only change the configuration: they make no step, for nothing they do depends on a file. */
import type {
  Arg,
  Cmd,
  CommandLine,
  Entrypoint,
  Env,
  Expose,
  Healthcheck,
  Label,
  Maintainer,
  OnBuild,
  Shell,
  StopSignal,
  User,
  Volume,
} from '../dockerfile/instruction.ts';
import { locate, TsbuildError } from '../errors.ts';
import { expand, expandList, type Lowering } from './lowering.ts';
import { exposedPorts } from './ports.ts';
import { checkSignal } from './signals.ts';
import { withEnv } from './stage-state.ts';

const DEFAULT_SHELL = ['/bin/sh', '-c'];

/** A line of history that made no layer. */
export function remember({ state }: Lowering, createdBy: string): void {
  state.history.push({ entry: { created_by: createdBy, comment: 'tsbuild', empty_layer: true } });
}

/** The words to execute: a shell line gets the SHELL in force in front. */
export function commandWords({ state }: Lowering, command: CommandLine): string[] {
  if (command.form === 'exec') return [...command.args];
  return [...(state.config.Shell ?? DEFAULT_SHELL), command.line];
}

/** A value given on the command line wins over the default, and a global ARG stands in where there is neither. */
export function lowerArg(lowering: Lowering, { args, location }: Arg): void {
  const { state, options, globalArgs } = lowering;
  const shown: string[] = [];
  for (const { name, value: standard } of args) {
    const given = Object.hasOwn(options.buildArgs, name) ? options.buildArgs[name] : undefined;
    const value =
      given ??
      (standard === undefined ? globalArgs.get(name) : expand(lowering, standard, location));
    state.args.add(name);
    // As in BuildKit, the later of ENV and ARG wins for the instructions that follow.
    if (value !== undefined) state.env.set(name, value);
    shown.push(value === undefined ? name : `${name}=${value}`);
  }
  remember(lowering, `ARG ${shown.join(' ')}`);
}

export function lowerEnv(lowering: Lowering, { pairs, location }: Env): void {
  const { state } = lowering;
  // All words of one instruction see the variables as they were before it.
  const values = pairs.map(
    ({ key, value }) =>
      [expand(lowering, key, location), expand(lowering, value, location)] as const,
  );
  for (const [name, value] of values) {
    state.env.set(name, value);
    state.config.Env = withEnv(state.config.Env, name, value);
  }
  remember(lowering, `ENV ${values.map(([name, value]) => `${name}=${value}`).join(' ')}`);
}

export function lowerLabel(lowering: Lowering, { pairs, location }: Label): void {
  const { state } = lowering;
  const values = pairs.map(
    ({ key, value }) =>
      [expand(lowering, key, location), expand(lowering, value, location)] as const,
  );
  state.config.Labels = { ...state.config.Labels, ...Object.fromEntries(values) };
  remember(lowering, `LABEL ${values.map(([name, value]) => `${name}=${value}`).join(' ')}`);
}

export function lowerCmd(lowering: Lowering, { command }: Cmd): void {
  const words = commandWords(lowering, command);
  lowering.state.config.Cmd = words;
  lowering.state.cmdSet = true;
  remember(lowering, `CMD ${listText(words)}`);
}

/** An ENTRYPOINT drops the CMD that the base brought, which was meant for another one. */
export function lowerEntrypoint(lowering: Lowering, { command }: Entrypoint): void {
  const { state } = lowering;
  const words = commandWords(lowering, command);
  state.config.Entrypoint = words;
  if (!state.cmdSet) delete state.config.Cmd;
  remember(lowering, `ENTRYPOINT ${listText(words)}`);
}

export function lowerShell(lowering: Lowering, { args }: Shell): void {
  lowering.state.config.Shell = args;
  remember(lowering, `SHELL [${args.join(' ')}]`);
}

export function lowerUser(lowering: Lowering, { user, location }: User): void {
  const name = expand(lowering, user, location);
  lowering.state.config.User = name;
  remember(lowering, `USER ${name}`);
}

export function lowerExpose(lowering: Lowering, { ports, location }: Expose): void {
  const { state } = lowering;
  const words = [...ports].sort().flatMap((word) => expandList(lowering, word, location));
  const keys = words.flatMap((word) => {
    try {
      return exposedPorts(word);
    } catch (error) {
      throw locate(error, { location });
    }
  });
  state.config.ExposedPorts = {
    ...state.config.ExposedPorts,
    ...Object.fromEntries(keys.map((key) => [key, {}])),
  };
  remember(lowering, `EXPOSE [${keys.join(' ')}]`);
}

export function lowerVolume(lowering: Lowering, { paths, location }: Volume): void {
  const { state } = lowering;
  const volumes = paths.map((path) => expand(lowering, path, location).trim());
  if (volumes.includes('')) {
    throw new TsbuildError('DOCKERFILE_PARSE', 'VOLUME specified can not be an empty string', {
      location,
    });
  }
  state.config.Volumes = {
    ...state.config.Volumes,
    ...Object.fromEntries(volumes.map((path) => [path, {}])),
  };
  remember(lowering, `VOLUME [${volumes.join(' ')}]`);
}

export function lowerStopSignal(lowering: Lowering, { signal, location }: StopSignal): void {
  const name = expand(lowering, signal, location);
  try {
    checkSignal(name);
  } catch (error) {
    throw locate(error, { location });
  }
  lowering.state.config.StopSignal = name;
  remember(lowering, `STOPSIGNAL ${name}`);
}

export function lowerMaintainer(lowering: Lowering, { author }: Maintainer): void {
  lowering.state.author = author;
  remember(lowering, `MAINTAINER ${author}`);
}

export function lowerHealthcheck(lowering: Lowering, check: Healthcheck): void {
  const { command, interval, timeout, startPeriod, startInterval, retries } = check;
  // The health check's shell is always the platform's own, `CMD-SHELL`; SHELL has no say in it.
  const test =
    command === undefined
      ? ['NONE']
      : command.form === 'exec'
        ? ['CMD', ...command.args]
        : ['CMD-SHELL', command.line];
  lowering.state.config.Healthcheck = {
    Test: test,
    ...(interval ? { Interval: interval } : {}),
    ...(timeout ? { Timeout: timeout } : {}),
    ...(startPeriod ? { StartPeriod: startPeriod } : {}),
    ...(startInterval ? { StartInterval: startInterval } : {}),
    ...(retries ? { Retries: retries } : {}),
  };
  remember(lowering, `HEALTHCHECK ${listText(test)}`);
}

/** Nothing for the history: the triggers stand in the configuration, and those who run them are told there. */
export function lowerOnBuild({ state }: Lowering, { trigger }: OnBuild): void {
  state.config.OnBuild = [...(state.config.OnBuild ?? []), trigger];
}

/** Words as Go's `%q` shows them, which the engine's history has. */
function listText(words: readonly string[]): string {
  return `[${words.map(quote).join(' ')}]`;
}

function quote(word: string): string {
  return JSON.stringify(word).replace(/\\(?:u00([01][0-9a-f])|.)/g, (escaped, hex) =>
    hex === undefined ? escaped : (GO_ESCAPES[hex] ?? `\\x${hex}`),
  );
}

const GO_ESCAPES: Readonly<Record<string, string>> = { '07': '\\a', '0b': '\\v' };
