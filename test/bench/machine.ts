/** What the numbers were measured on. */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** Of the directory with the contexts and the stores. */
  readonly filesystem: string;
  readonly node: string;
}

export function describeMachine(directory: string): Machine {
  const df = execFileSync('df', ['--output=fstype', directory], { encoding: 'utf8' });
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    filesystem: df.trim().split('\n').at(-1)!,
    node: process.versions.node,
  };
}

export function machineLine({
  cpu,
  cores,
  memoryBytes,
  kernel,
  filesystem,
  node,
}: Machine): string {
  const memory = `${Math.round(memoryBytes / 2 ** 30)} GiB`;
  return `${cores} × ${cpu}, ${memory}, Linux ${kernel}, ${filesystem}, Node ${node}`;
}
