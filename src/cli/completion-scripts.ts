/** Scripts for shells. They know nothing themselves: each TAB asks `tsbuild completion --line`. */

export type Shell = 'bash' | 'zsh';

/** bash replaces only what follows the last of its word breaks, `:` and `=` among them: what is before them is cut off. */
const BASH = `# tsbuild completion for bash; load it with: source <(tsbuild completion bash)
_tsbuild() {
  local line=\${COMP_LINE:0:COMP_POINT}
  local word=\${line##*[[:space:]]}
  local kept=\${word##*["$COMP_WORDBREAKS"]}
  mapfile -t COMPREPLY < <(tsbuild completion bash --line "$line" 2>/dev/null)
  COMPREPLY=("\${COMPREPLY[@]#"\${word%"$kept"}"}")
  # A value follows without a space.
  if [[ \${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
}
complete -o default -F _tsbuild tsbuild
`;

const ZSH = `#compdef tsbuild
# tsbuild completion for zsh; load it after compinit with: source <(tsbuild completion zsh)
_tsbuild() {
  local -a found values
  found=("\${(@f)$(tsbuild completion zsh --line "\${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
  values=("\${(@M)found:#*=(|:*)}")
  found=("\${(@)found:#*=(|:*)}")
  (( \${#\${found[1]-}} )) && _describe -t tsbuild tsbuild found
  (( \${#\${values[1]-}} )) && _describe -t tsbuild value values -S ''
  (( \${#\${found[1]-}} || \${#\${values[1]-}} )) || _files
}
if [[ \${zsh_eval_context[-1]} == loadautofunc ]]; then
  _tsbuild "$@"
else
  compdef _tsbuild tsbuild
fi
`;

export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH };
