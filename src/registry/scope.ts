/** Scopes of tokens: `repository:NAME:ACTIONS`, as the registries' token authentication writes them. */
export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`;
}

/** Whether what was granted includes `scope`; who may push may pull. */
export function covers(granted: ReadonlySet<string>, scope: string): boolean {
  return granted.has(scope) || granted.has(`${scope},push`);
}
