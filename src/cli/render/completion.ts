import type { Command, Option } from 'commander';

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

function words(place: Place): string {
  return [...place.commands.map(c => c.name), ...place.values, ...place.options.flatMap(o => o.flags)].join(
    ' ',
  );
}

/** Values that are to be completed after an option, by its flags. */
function choicesOf(all: readonly Place[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const option of all.flatMap(place => place.options))
    if (option.choices.length > 0) found.set(option.flags.join('|'), option.choices.join(' '));
  return found;
}

/** The command is found by walking over the words so far; values of options are passed over. */
export function bashCompletion(program: Command): string {
  const all = places(program);
  const valued = new Set(all.flatMap(p => p.options.filter(o => o.takesValue).flatMap(o => o.flags)));
  const cases = all.map(p => `    '${p.path.join(' ')}') words='${words(p)}' ;;`);
  const choices = [...choicesOf(all)].map(([flags, values]) => `    ${flags}) words='${values}' ;;`);
  return `# bash completion of ambientctl; source it, or put it into /etc/bash_completion.d
_ambientctl() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path='' words='' i word
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in
    ${[...valued].join('|')}) ((i++)) ;;
    -*) ;;
    *) case "\${path:+$path }$word" in
      ${all
        .filter(p => p.path.length > 0)
        .map(p => `'${p.path.join(' ')}'`)
        .join('|')}) path="\${path:+$path }$word" ;;
      esac ;;
    esac
  done
  case "$prev" in
${choices.join('\n')}
    ${[...valued].filter(flag => ![...choicesOf(all).keys()].some(k => k.split('|').includes(flag))).join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    *) case "$path" in
${cases.join('\n')}
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
    if (place.values.length > 0)
      lines.push(`complete -c ambientctl${when} -a ${quote(place.values.join(' '))}`);
    for (const option of place.options) lines.push(`complete -c ambientctl${when}${fishOption(option)}`);
  }
  return `${lines.join('\n')}\n`;
}

function fishOption({ flags, takesValue, choices, description }: Place['options'][number]): string {
  const names = flags.map(f => (f.startsWith('--') ? ` -l ${f.slice(2)}` : ` -s ${f.slice(1)}`)).join('');
  const value = choices.length > 0 ? ` -x -a ${quote(choices.join(' '))}` : takesValue ? ' -r' : '';
  return `${names}${value} -d ${quote(description)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
