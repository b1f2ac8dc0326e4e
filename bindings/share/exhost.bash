# bash completion for exhost: commands, options and ids, from the program itself.
_exhost() {
  local cur=${COMP_WORDS[COMP_CWORD]} command= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --executor | --state-dir | --config | --lua-path) i=$((i + 1)) ;;
      -*) ;;
      *)
        command=${COMP_WORDS[i]}
        break
        ;;
    esac
  done
  if [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "$(exhost help --words 2>/dev/null)" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(exhost help --words "$command" 2>/dev/null)" -- "$cur"))
  else
    case $command in
      wait | logs | cancel | pause | resume | signal | exec | stats | update | inspect | why | remove)
        COMPREPLY=($(compgen -W "$(exhost ps -aq 2>/dev/null)" -- "$cur"))
        ;;
      help) COMPREPLY=($(compgen -W "$(exhost help --words 2>/dev/null)" -- "$cur")) ;;
      *) compopt -o default ;;
    esac
  fi
}
complete -F _exhost exhost
