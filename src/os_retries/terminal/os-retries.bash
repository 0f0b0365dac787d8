# Completion of os-retries for bash. tools/terminal has generated this file with shtab: do not edit it.

_shtab_os_retries_operation_subparsers=(show forget)
_shtab_os_retries_subparsers=(run env operation check rehearse rewrite simulate completion)

_shtab_os_retries_run_option_strings=(-h --help --retries --retry-after --backoff --jitter --max-wait --timeout --no-safe-creates --single-writer --no-pacing --config-file --service-config --log-json --operation --strict --state -q --quiet --metrics --otlp)
_shtab_os_retries_env_option_strings=(-h --help --shell --systemd --dotenv --retries --retry-after --backoff --jitter --max-wait --timeout --no-safe-creates --single-writer --no-pacing --config-file --service-config --log-json)
_shtab_os_retries_operation_show_option_strings=(-h --help --os-cloud --json)
_shtab_os_retries_operation_forget_option_strings=(-h --help --os-cloud)
_shtab_os_retries_operation_option_strings=(-h --help)
_shtab_os_retries_check_option_strings=(-h --help --json)
_shtab_os_retries_rehearse_option_strings=(-h --help --faults --replay --seed --tokens --repeat --json --html --retries --retry-after --backoff --jitter --max-wait --timeout --no-safe-creates --single-writer --no-pacing)
_shtab_os_retries_rewrite_option_strings=(-h --help --write --check --client --import --exclude --no-creates --format --tests --line-length)
_shtab_os_retries_simulate_option_strings=(-h --help --rate --calls --capacity --begins --lasts --left --after --random --latency --flaps --processes --hosts --seed --collapse --ramps --config-file --json --html)
_shtab_os_retries_completion_option_strings=(-h --help)
_shtab_os_retries_option_strings=(-h --help --version)

_shtab_os_retries_run___config_file_COMPGEN=_shtab_compgen_files
_shtab_os_retries_run___log_json_COMPGEN=_shtab_compgen_files
_shtab_os_retries_run___state_COMPGEN=_shtab_compgen_files
_shtab_os_retries_run___metrics_COMPGEN=_shtab_compgen_files
_shtab_os_retries_env___config_file_COMPGEN=_shtab_compgen_files
_shtab_os_retries_env___log_json_COMPGEN=_shtab_compgen_files
_shtab_os_retries_rehearse___replay_COMPGEN=_shtab_compgen_files
_shtab_os_retries_rehearse___html_COMPGEN=_shtab_compgen_files
_shtab_os_retries_rewrite_pos_0_COMPGEN=_shtab_compgen_files
_shtab_os_retries_simulate___config_file_COMPGEN=_shtab_compgen_files
_shtab_os_retries_simulate___html_COMPGEN=_shtab_compgen_files

_shtab_os_retries_operation_pos_0_choices=(show forget)
_shtab_os_retries_rewrite___format_choices=(text json sarif)
_shtab_os_retries_completion_pos_0_choices=(bash zsh fish)
_shtab_os_retries_pos_0_choices=(run env operation check rehearse rewrite simulate completion)

_shtab_os_retries_run__h_nargs=0
_shtab_os_retries_run___help_nargs=0
_shtab_os_retries_run___no_safe_creates_nargs=0
_shtab_os_retries_run___single_writer_nargs=0
_shtab_os_retries_run___no_pacing_nargs=0
_shtab_os_retries_run___service_config_nargs=0
_shtab_os_retries_run___strict_nargs=0
_shtab_os_retries_run__q_nargs=0
_shtab_os_retries_run___quiet_nargs=0
_shtab_os_retries_run___otlp_nargs='?'
_shtab_os_retries_env__h_nargs=0
_shtab_os_retries_env___help_nargs=0
_shtab_os_retries_env___shell_nargs=0
_shtab_os_retries_env___systemd_nargs=0
_shtab_os_retries_env___dotenv_nargs=0
_shtab_os_retries_env___no_safe_creates_nargs=0
_shtab_os_retries_env___single_writer_nargs=0
_shtab_os_retries_env___no_pacing_nargs=0
_shtab_os_retries_env___service_config_nargs=0
_shtab_os_retries_operation_show__h_nargs=0
_shtab_os_retries_operation_show___help_nargs=0
_shtab_os_retries_operation_show___json_nargs=0
_shtab_os_retries_operation_forget__h_nargs=0
_shtab_os_retries_operation_forget___help_nargs=0
_shtab_os_retries_operation_pos_0_nargs=A...
_shtab_os_retries_operation__h_nargs=0
_shtab_os_retries_operation___help_nargs=0
_shtab_os_retries_check__h_nargs=0
_shtab_os_retries_check___help_nargs=0
_shtab_os_retries_check___json_nargs=0
_shtab_os_retries_rehearse__h_nargs=0
_shtab_os_retries_rehearse___help_nargs=0
_shtab_os_retries_rehearse___tokens_nargs=0
_shtab_os_retries_rehearse___json_nargs=0
_shtab_os_retries_rehearse___no_safe_creates_nargs=0
_shtab_os_retries_rehearse___single_writer_nargs=0
_shtab_os_retries_rehearse___no_pacing_nargs=0
_shtab_os_retries_rewrite_pos_0_nargs=+
_shtab_os_retries_rewrite__h_nargs=0
_shtab_os_retries_rewrite___help_nargs=0
_shtab_os_retries_rewrite___write_nargs=0
_shtab_os_retries_rewrite___check_nargs=0
_shtab_os_retries_rewrite___no_creates_nargs=0
_shtab_os_retries_rewrite___tests_nargs=0
_shtab_os_retries_simulate__h_nargs=0
_shtab_os_retries_simulate___help_nargs=0
_shtab_os_retries_simulate___collapse_nargs=0
_shtab_os_retries_simulate___ramps_nargs=0
_shtab_os_retries_simulate___json_nargs=0
_shtab_os_retries_completion__h_nargs=0
_shtab_os_retries_completion___help_nargs=0
_shtab_os_retries_pos_0_nargs=A...
_shtab_os_retries__h_nargs=0
_shtab_os_retries___help_nargs=0
_shtab_os_retries___version_nargs=0


# $1=COMP_WORDS[1]
_shtab_compgen_files() {
  compgen -f -- $1  # files
}

# $1=COMP_WORDS[1]
_shtab_compgen_dirs() {
  compgen -d -- $1  # recurse into subdirs
}

# $1=COMP_WORDS[1]
_shtab_replace_nonword() {
  echo "${1//[^[:word:]]/_}"
}

# set default values (called for the initial parser & any subparsers)
_set_parser_defaults() {
  local subparsers_var="${prefix}_subparsers[@]"
  sub_parsers=${!subparsers_var-}

  local current_option_strings_var="${prefix}_option_strings[@]"
  current_option_strings=${!current_option_strings_var}

  completed_positional_actions=0

  _set_new_action "pos_$completed_positional_actions" true
}

# $1=action identifier
# $2=positional action (bool)
# set all identifiers for an action's parameters
_set_new_action() {
  current_action="${prefix}_$(_shtab_replace_nonword $1)"

  local current_action_compgen_var=${current_action}_COMPGEN
  current_action_compgen="${!current_action_compgen_var-}"

  local current_action_choices_var="${current_action}_choices[@]"
  current_action_choices="${!current_action_choices_var-}"

  local current_action_nargs_var="${current_action}_nargs"
  if [ -n "${!current_action_nargs_var-}" ]; then
    current_action_nargs="${!current_action_nargs_var}"
  else
    current_action_nargs=1
  fi

  current_action_args_start_index=$(( $word_index + 1 - $pos_only ))

  current_action_is_positional=$2
}

# Notes:
# `COMPREPLY`: what will be rendered after completion is triggered
# `completing_word`: currently typed word to generate completions for
# `${!var}`: evaluates the content of `var` and expand its content as a variable
#     hello="world"
#     x="hello"
#     ${!x} -> ${hello} -> "world"
_shtab_os_retries() {
  local completing_word="${COMP_WORDS[COMP_CWORD]}"
  local previous_word="${COMP_WORDS[COMP_CWORD-1]}"
  local completed_positional_actions
  local current_action
  local current_action_args_start_index
  local current_action_choices
  local current_action_compgen
  local current_action_is_positional
  local current_action_nargs
  local current_option_strings
  local sub_parsers
  COMPREPLY=()

  local prefix=_shtab_os_retries
  local word_index=0
  local pos_only=0 # "--" delimiter not encountered yet
  _set_parser_defaults
  word_index=1

  # determine what arguments are appropriate for the current state
  # of the arg parser
  while [ $word_index -ne $COMP_CWORD ]; do
    local this_word="${COMP_WORDS[$word_index]}"

    if [[ $pos_only = 1 || " $this_word " != " -- " ]]; then
      if [[ -n $sub_parsers && " ${sub_parsers[@]} " == *" $this_word "* ]]; then
        # valid subcommand: add it to the prefix & reset the current action
        prefix="${prefix}_$(_shtab_replace_nonword $this_word)"
        _set_parser_defaults
      fi

      if [[ " ${current_option_strings[@]} " == *" $this_word "* ]]; then
        # a new action should be acquired (due to recognised option string or
        # no more input expected from current action);
        # the next positional action can fill in here
        _set_new_action $this_word false
      fi

      if [[ "$current_action_nargs" != "*" ]] && \
         [[ "$current_action_nargs" != "+" ]] && \
         [[ "$current_action_nargs" != "?" ]] && \
         [[ "$current_action_nargs" != *"..." ]] && \
         (( $word_index + 1 - $current_action_args_start_index - $pos_only >= \
            $current_action_nargs )); then
        $current_action_is_positional && let "completed_positional_actions += 1"
        _set_new_action "pos_$completed_positional_actions" true
      fi
    else
      pos_only=1 # "--" delimiter encountered
    fi

    let "word_index+=1"
  done

  # Generate the completions

  COMPREPLY=()
  if [[ $pos_only = 0 && "$completing_word" == -* &&
        ( -z "$current_action_compgen" || "$current_action_is_positional" = true ) ]]; then
    # optional argument started: use option strings
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
      compgen -W "${current_option_strings[*]}" -- "$completing_word")
  elif [[ "$previous_word" =~ ^[0-9\&]*[\<\>]\>?$ ]]; then
    # handle redirection operators
    compopt -o filenames 2>/dev/null || : # bash>=4
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$completing_word")
  else
    # use choices & compgen
    local action_compgen_word="$completing_word"
    # handle tab-completing in the middle of a line (#248 <- #116)
    [[ -n "$current_action_compgen" && "$completing_word" == -* ]] && action_compgen_word=""
    [ -n "$current_action_compgen" ] && {
      [[ "$current_action_compgen" =~ _(file|dir|glob|FILE|DIR|GLOB)|File|Dir|Glob ]] &&
        compopt -o filenames 2>/dev/null || : # bash>=4
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
        "$current_action_compgen" "$action_compgen_word")
    }
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
      compgen -W "${current_action_choices[*]}" -- "$completing_word")
  fi

  if [[ ${#COMPREPLY[@]} = 0 ]]; then
    # native fallback matches are not necessarily filenames (e.g. variables)
    compopt +o filenames 2>/dev/null || : # bash>=4
  fi

  return 0
}

# After `run --` and `rehearse --` comes another command, which is completed in its own way.
_os_retries() {
  local at
  if [[ ${COMP_WORDS[1]} == run || ${COMP_WORDS[1]} == rehearse ]]; then
    for (( at = 2; at < COMP_CWORD; at++ )); do
      [[ ${COMP_WORDS[at]} == -- ]] || continue
      (( at++ ))
      if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$at"  # bash-completion 2.12 and newer
      elif declare -F _command_offset >/dev/null; then
        _command_offset "$at"  # bash-completion before 2.12
      else
        compopt -o filenames 2>/dev/null
        local kind=-f
        (( at == COMP_CWORD )) && kind=-c
        local IFS=$'\n'
        COMPREPLY=($(compgen "$kind" -- "${COMP_WORDS[COMP_CWORD]}"))
      fi
      return
    done
  fi
  _shtab_os_retries "$@"
}

complete -o bashdefault -F _os_retries os-retries
