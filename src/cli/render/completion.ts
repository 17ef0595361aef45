import type { Command, Option } from 'commander';
import { ARGUMENTS, type Source, VALUES } from './completion-sources.ts';

/** A word of the tree and what may follow it. */
interface Place {
  /** Names from the program down, without the program's; empty at the top. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly {
    readonly flags: readonly string[];
    readonly takesValue: boolean;
    readonly choices: readonly string[];
    readonly description: string;
  }[];
  /** Values of its first argument, where they are known. */
  readonly values: readonly string[];
}

/** Every command; aliases are places of their own. */
function places(command: Command, paths: readonly (readonly string[])[] = [[]]): Place[] {
  const own = paths.map(path => ({
    path,
    commands: command.commands.map(c => ({ name: c.name(), description: c.description() })),
    options: command.options.filter(option => !option.hidden).map(describeOption),
    values: command.registeredArguments[0]?.argChoices ?? [],
  }));
  const below = command.commands.flatMap(c => {
    const names = [c.name(), ...c.aliases()];
    return places(
      c,
      paths.flatMap(path => names.map(name => [...path, name])),
    );
  });
  return [...own, ...below];
}

function describeOption(option: Option): Place['options'][number] {
  const flags = [option.short, option.long].flatMap(flag => flag ?? []);
  const takesValue = option.required || option.optional;
  return { flags, takesValue, choices: option.argChoices ?? [], description: option.description };
}

/** Bash that answers with what a source has. */
function answer(source: Source): string {
  if ('files' in source) {
    // Directories get a slash then, and blanks a backslash.
    return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); return';
  }
  if ('words' in source) return `words='${source.words.join(' ')}'`;
  return `words="$("${'${COMP_WORDS[0]}'}" names ${source.names.join(' ')} "${'${choice[@]}'}" 2>/dev/null)"`;
}

/** Options stand aside where something else can come: they are offered after a dash. */
function placeCase(place: Place): string {
  const path = place.path.join(' ');
  const options = place.options.flatMap(o => o.flags).join(' ');
  const source = ARGUMENTS.get(path);
  const words = [...place.commands.map(c => c.name), ...place.values].join(' ');
  const first = source === undefined ? (words === '' ? '' : `words='${words}'`) : answer(source);
  const otherwise = first === '' ? '' : `[[ $cur == -* ]] || { ${first}; }; `;
  return `    '${path}') words='${options}'; ${otherwise};;`;
}

/** What follows an option that takes a value; nothing where it is free text. */
function valueCases(all: readonly Place[]): string {
  const options = all.flatMap(place => place.options).filter(o => o.takesValue);
  const known = new Map<string, string>();
  for (const { flags, choices } of options) {
    const long = flags.find(flag => flag.startsWith('--')) ?? '';
    const source = choices.length > 0 ? { words: choices } : VALUES.get(long);
    known.set(flags.join('|'), source === undefined ? 'return' : answer(source));
  }
  return [...known].map(([flags, does]) => `    ${flags}) ${does} ;;`).join('\n');
}

/** The command is found by walking over the words so far; values of options are passed over. Bash makes words of their own of `=`. */
export function bashCompletion(program: Command): string {
  const all = places(program);
  const valued = new Set(all.flatMap(p => p.options.filter(o => o.takesValue).flatMap(o => o.flags)));
  const paths = all.filter(p => p.path.length > 0).map(p => `'${p.path.join(' ')}'`);
  return `# bash completion of ambientctl; source it, or put it into /etc/bash_completion.d
_ambientctl() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path='' words='' i word choice=()
  [[ $prev == = ]] && prev="\${COMP_WORDS[COMP_CWORD-2]}"
  [[ $cur == = ]] && cur=''
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in
    --kubeconfig|--context|--state-dir) choice+=("$word" "\${COMP_WORDS[i + 1]}"); ((i++)) ;;
    ${[...valued].join('|')}) ((i++)) ;;
    -*|=) ;;
    *) case "\${path:+$path }$word" in
      ${paths.join('|')}) path="\${path:+$path }$word" ;;
      esac ;;
    esac
  done
  case "$prev" in
${valueCases(all)}
    *) case "$path" in
${all.map(placeCase).join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _ambientctl ambientctl
`;
}

/** zsh runs the one of bash. */
export function zshCompletion(program: Command): string {
  return `#compdef ambientctl
autoload -U +X bashcompinit && bashcompinit
${bashCompletion(program)}`;
}

export function fishCompletion(program: Command): string {
  const lines = ['# fish completion of ambientctl', 'complete -c ambientctl -f'];
  for (const place of places(program)) {
    const seen = place.path.map(name => `__fish_seen_subcommand_from ${name}`).join('; and ');
    const below = place.commands.map(c => c.name);
    const only = below.length === 0 ? '' : `not __fish_seen_subcommand_from ${below.join(' ')}`;
    const condition = [seen, only].filter(part => part !== '').join('; and ');
    const when = condition === '' ? '' : ` -n ${quote(condition)}`;
    for (const { name, description } of place.commands)
      lines.push(`complete -c ambientctl${when} -a ${name} -d ${quote(description)}`);
    const source = ARGUMENTS.get(place.path.join(' ')) ?? { words: place.values };
    lines.push(...fishArguments(source).map(offered => `complete -c ambientctl${when} ${offered}`));
    for (const option of place.options) lines.push(`complete -c ambientctl${when}${fishOption(option)}`);
  }
  return `${lines.join('\n')}\n`;
}

function fishArguments(source: Source): string[] {
  if ('files' in source) return ['-F'];
  if ('names' in source) return [`-a ${quote(`(ambientctl names ${source.names.join(' ')} 2>/dev/null)`)}`];
  return source.words.length === 0 ? [] : [`-a ${quote(source.words.join(' '))}`];
}

function fishOption({ flags, takesValue, choices, description }: Place['options'][number]): string {
  const names = flags.map(f => (f.startsWith('--') ? ` -l ${f.slice(2)}` : ` -s ${f.slice(1)}`)).join('');
  const value = choices.length > 0 ? ` -x -a ${quote(choices.join(' '))}` : takesValue ? ' -r' : '';
  return `${names}${value} -d ${quote(description)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
