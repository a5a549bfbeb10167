# bash completion for mailward(1)

_mailward() {
  local current previous words cword
  _init_completion -n =: 2> /dev/null || {
    current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
  }
  current=${words[cword]} previous=${words[cword-1]}
  local common="--help -h --version --config --ledger --now --color --verbose -v --quiet -q"
  local logs="--since --until --timezone --year --rules --threads --format"
  local judging="--policy --limit --ban --local-domain --ignore"

  # The command is the first word that is neither an option nor the value of one.
  local command="" action="" i word
  for ((i = 1; i < cword; i++)); do
    word=${words[i]}
    case $word in
      --config | --ledger | --now | --color | --since | --until | --timezone | --year | --rules | --threads | --policy | --limit | \
        --ban | --local-domain | --ignore | --format | --for) ((i++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=$word; elif [[ -z $action ]]; then action=$word; fi ;;
    esac
  done

  case $previous in
    --color) COMPREPLY=($(compgen -W "auto always never" -- "$current")); return ;;
    --format)
      local formats="table plain counts csv json ndjson"
      [[ $command == events ]] && formats="ndjson json"
      [[ $command == explain ]] && formats="text json"
      [[ $command == status ]] && formats="table json"
      [[ $command == bans ]] && formats="table plain json csv"
      COMPREPLY=($(compgen -W "$formats" -- "$current")); return ;;
    --policy) COMPREPLY=($(compgen -W "default strikes tries any" -- "$current") $(compgen -f -- "$current")); return ;;
    --since | --until) COMPREPLY=($(compgen -W "90m 24h 7d" -- "$current")); return ;;
    --timezone)
      COMPREPLY=($(compgen -W "UTC $(cd /usr/share/zoneinfo 2> /dev/null && printf '%s ' [A-Z]*/*)" -- "$current")); return ;;
    --for) COMPREPLY=($(compgen -W "24h 7d 30d" -- "$current")); return ;;
    --rules) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --config | --ledger | --ignore) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --now | --year | --threads | --limit | --ban | --local-domain) return ;;
  esac

  local options=$common
  case $command in
    scan | explain) options+=" $logs $judging" ;;
    events) options+=" $logs --unknown" ;;
    run) options+=" --once --check --timezone --rules $judging" ;;
    status) options+=" --format --timezone" ;;
    bans) options+=" --format --timezone --all" ;;
    ban) options+=" --for --force" ;;
    import) [[ -n $action ]] && options+=" ${logs% --format}" ;;
    rules) [[ -n $action ]] && options+=" --rules" ;;
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "scan events explain run status bans ban unban reload import rules help" -- "$current"))
  elif [[ $command == rules && -z $action ]]; then
    COMPREPLY=($(compgen -W "list check test" -- "$current"))
  elif [[ $command == import && -z $action ]]; then
    COMPREPLY=($(compgen -W "logs" -- "$current"))
  elif [[ $command == rules ]]; then
    local daemons
    daemons=$("${words[0]}" rules list 2> /dev/null | awk 'NR > 1 && NF == 0 { exit } NR > 1 { print $1 }')
    COMPREPLY=($(compgen -W "$daemons" -- "$current"))
    [[ $action == list ]] && return
    COMPREPLY+=($(compgen -f -X '!*.toml' -- "$current") $(compgen -d -- "$current"))
    compopt -o filenames 2> /dev/null
  elif [[ $command == help ]]; then
    [[ -z $action ]] && COMPREPLY=($(compgen -W "scan events explain run status bans ban unban reload import rules" -- "$current"))
    [[ $action == rules ]] && COMPREPLY=($(compgen -W "list check test" -- "$current"))
    [[ $action == import ]] && COMPREPLY=($(compgen -W "logs" -- "$current"))
  elif [[ $command == unban && -z $action ]]; then
    COMPREPLY=($(compgen -W "$("${words[0]}" bans --format plain 2> /dev/null)" -- "$current"))
    # In an IPv6 address readline takes each colon for the end of a word.
    if declare -F __ltrim_colon_completions > /dev/null; then __ltrim_colon_completions "$current"; fi
  elif [[ $command == explain && -z $action || $command == @(status|bans|ban|unban|reload) ]]; then
    return  # an address, or nothing
  else
    COMPREPLY=($(compgen -f -- "$current") $(compgen -W "journal:" -- "$current"))
    compopt -o filenames 2> /dev/null
  fi
}
complete -F _mailward mailward
