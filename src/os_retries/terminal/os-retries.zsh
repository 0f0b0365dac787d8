#compdef os-retries
# Completion of os-retries for zsh. tools/terminal has generated this file with shtab: do not edit it.

_shtab_os_retries_commands() {
  local _commands=(
    check:'show what repeats requests in this environment today, and how the attempts multiply'
    completion:'print the completion script for a shell'
    env:'print the variables that give a program these retries'
    operation:'show the resources of an operation, or remove its markers'
    rehearse:'try a program under faults, without retries and with them'
    rewrite:'wrap every client call of a code base'
    run:'run any OpenStack program with retries'
    simulate:'try retry policies on a service in trouble'
  )
  _describe 'os-retries commands' _commands
}

_shtab_os_retries_operation_commands() {
  local _commands=(
    forget:'remove the markers; the resources stay, and another run with this key makes new ones'
    show:'list the resources that carry a marker of the operation'
  )
  _describe 'os-retries operation commands' _commands
}

_shtab_os_retries_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--version[print the version and exit]"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_defaults_added=0

_shtab_os_retries_check_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--json[print the report as JSON]"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_check_defaults_added=0

_shtab_os_retries_completion_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  ":bash, zsh or fish:(bash zsh fish)"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_completion_defaults_added=0

_shtab_os_retries_env_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--shell[for the shell\: export NAME\=\'VALUE\' (default)]"
  "--systemd[for a unit file, or a drop-in of one\: Environment\=\"NAME\=VALUE\" below \[Service\]]"
  "--dotenv[NAME\=VALUE, without quotes]"
  "--retries[retries after the first attempt (default\: 5)]:N:"
  "--retry-after[wait before the first retry, unless the service sends a Retry-After (default\: 1)]:SECONDS:"
  "--backoff[factor by which the wait grows with each retry, up to an hour (default\: 2)]:FACTOR:"
  "--jitter[share of the wait, from 0 to 1, that is drawn at random and added to it (default\: 0.25)]:SHARE:"
  "--max-wait[maximum extra wait of one request, if the service asks for a longer wait or is in trouble (default\: 300)]:SECONDS:"
  "--timeout[time for the service to answer, if the program sets no timeout\; inf\: no limit (default\: 120)]:SECONDS:"
  "--no-safe-creates[do not add markers (os-retries-...) to creates, and do not repeat a create whose answer was lost]"
  "--single-writer[state that no other client creates such resources in this project, so that a create without room for a marker (a network with a long description, EC2 credentials) is found as the new resource that matches the request]"
  "--no-pacing[retry each request on its own schedule, even while the service is in trouble (default\: at the rate that the service can take)]"
  "--config-file[take the numbers from \[timeouts\] of an oslo.config file\; numbers that are not set there are the specification\'s (10 seconds, constant, no timeout)\; the options above override the file]:FILE:_files"
  "--service-config[for an OpenStack service\: take the numbers from \[timeouts\] of the service\'s own configuration, once the service has read its files, and again when it reads them again\; the options and the file above apply until then]"
  "--log-json[append one JSON object for each retry, each look-up of a create, and each request that is given up or answered with an error after retries]:FILE:_files"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_env_defaults_added=0

_shtab_os_retries_operation_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_operation_defaults_added=0

_shtab_os_retries_operation_forget_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--os-cloud[the name of the cloud in clouds.yaml]:NAME:"
  ":the key of the operation:"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_operation_forget_defaults_added=0

_shtab_os_retries_operation_show_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--os-cloud[the name of the cloud in clouds.yaml]:NAME:"
  "--json[print a JSON list]"
  ":the key of the operation:"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_operation_show_defaults_added=0

_shtab_os_retries_rehearse_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--faults[which faults (default\: \'lost 5\%, refused 10\%\')]:faults:"
  "--replay[the faults that a --log-json file of os-retries run has recorded]:FILE:_files"
  "--seed[seed of the random numbers (default\: 1)]:N:"
  "--tokens[inject faults into requests for tokens and API versions too]"
  "--repeat[runs each way, with the seeds N, N\+1, \… (default\: 1)]:N:"
  "--json[print the report as JSON]"
  "--html[also write the report as one HTML page]:FILE:_files"
  "--retries[retries after the first attempt (default\: 5)]:N:"
  "--retry-after[wait before the first retry, unless the service sends a Retry-After (default\: 1)]:SECONDS:"
  "--backoff[factor by which the wait grows with each retry, up to an hour (default\: 2)]:FACTOR:"
  "--jitter[share of the wait, from 0 to 1, that is drawn at random and added to it (default\: 0.25)]:SHARE:"
  "--max-wait[maximum extra wait of one request, if the service asks for a longer wait or is in trouble (default\: 300)]:SECONDS:"
  "--timeout[time for the service to answer, if the program sets no timeout\; inf\: no limit (default\: 120)]:SECONDS:"
  "--no-safe-creates[do not add markers (os-retries-...) to creates, and do not repeat a create whose answer was lost]"
  "--single-writer[state that no other client creates such resources in this project, so that a create without room for a marker (a network with a long description, EC2 credentials) is found as the new resource that matches the request]"
  "--no-pacing[retry each request on its own schedule, even while the service is in trouble (default\: at the rate that the service can take)]"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_rehearse_defaults_added=0

_shtab_os_retries_rewrite_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--write[change the files]"
  "--check[list the calls that are not wrapped]"
  "*--client[a function or class that returns a client (of SERVICE\: nova, sdk, sdk.baremetal, ...)\; may be repeated. The calls of its callers are wrapped, and none inside it]:MODULE.NAME SERVICE:"
  "--import[the function to wrap with (default\: os_retries\:execute_with_retries)]:MODULE NAME:"
  "*--exclude[leave out files and folders that match\; may be repeated]:GLOB:"
  "--no-creates[do not wrap calls that create something, because a repeat after a lost answer creates it twice]"
  "--format[report as text, or as one JSON or SARIF 2.1.0 document (default\: text)]:format:(text json sarif)"
  "--tests[include tests\; a test file given by name is always included]"
  "--line-length[break a call whose line would become longer than N (default\: 79\; 0\: never break a call)]:N:"
  "(*):a file, or a folder (its \*.py):_files"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_rewrite_defaults_added=0

_shtab_os_retries_run_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--retries[retries after the first attempt (default\: 5)]:N:"
  "--retry-after[wait before the first retry, unless the service sends a Retry-After (default\: 1)]:SECONDS:"
  "--backoff[factor by which the wait grows with each retry, up to an hour (default\: 2)]:FACTOR:"
  "--jitter[share of the wait, from 0 to 1, that is drawn at random and added to it (default\: 0.25)]:SHARE:"
  "--max-wait[maximum extra wait of one request, if the service asks for a longer wait or is in trouble (default\: 300)]:SECONDS:"
  "--timeout[time for the service to answer, if the program sets no timeout\; inf\: no limit (default\: 120)]:SECONDS:"
  "--no-safe-creates[do not add markers (os-retries-...) to creates, and do not repeat a create whose answer was lost]"
  "--single-writer[state that no other client creates such resources in this project, so that a create without room for a marker (a network with a long description, EC2 credentials) is found as the new resource that matches the request]"
  "--no-pacing[retry each request on its own schedule, even while the service is in trouble (default\: at the rate that the service can take)]"
  "--config-file[take the numbers from \[timeouts\] of an oslo.config file\; numbers that are not set there are the specification\'s (10 seconds, constant, no timeout)\; the options above override the file]:FILE:_files"
  "--service-config[for an OpenStack service\: take the numbers from \[timeouts\] of the service\'s own configuration, once the service has read its files, and again when it reads them again\; the options and the file above apply until then]"
  "--log-json[append one JSON object for each retry, each look-up of a create, and each request that is given up or answered with an error after retries]:FILE:_files"
  "--operation[make nothing twice, even if COMMAND is killed and run again with the same KEY (default\: OSRETRIES_OPERATION in the environment, if it is set)]:KEY:"
  "--strict[do not send a write that another run with this KEY could not recognize]"
  "--state[note in a local FILE what was sent, so that what was surely never sent needs no look\; all runs with this KEY use the same FILE (default\: OSRETRIES_STATE in the environment, if it is set)]:FILE:_files"
  {-q,--quiet}"[write nothing to standard error]"
  "--metrics[at the end, write the metrics of the whole run to a file for the textfile collector of Prometheus (FILE.prom)\; os-retries then stays until the end, even with --quiet]:FILE:_files"
  "--otlp[at the end, send the same metrics to a receiver of OTLP over HTTP (default\: OTEL_EXPORTER_OTLP_ENDPOINT, or http\:\/\/localhost\:4318)]:ENDPOINT:"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_run_defaults_added=0

_shtab_os_retries_simulate_options=(
  "(- : *)"{-h,--help}"[show this help message and exit]"
  "--rate[calls a second, at random instants (default\: 100)]:N:"
  "--calls[total number of calls (default\: enough for three minutes after the trouble)]:N:"
  "--capacity[attempts a second that the service can take (default\: 150)]:N:"
  "--begins[time until the trouble begins (default\: 30)]:SECONDS:"
  "--lasts[how long the trouble lasts\; 0\: no trouble (default\: 40)]:SECONDS:"
  "--left[share of the capacity that is left during the trouble\; 0\: an outage (default\: 0)]:SHARE:"
  "--after[capacity after the trouble (default\: as before)]:N:"
  "--random[share of all attempts that fail at random, always (default\: 0)]:SHARE:"
  "--latency[how long an answer takes (default\: 0.1)]:SECONDS:"
  "--flaps[the trouble comes and goes, and each phase lasts so many seconds]:SECONDS:"
  "--processes[processes that share the calls (default\: 1)\; if more, with a queue for each process, host, and all hosts]:N:"
  "--hosts[number of hosts that the processes are spread over (default\: 1)]:N:"
  "--seed[seed of the random numbers (default\: 1)]:N:"
  "--collapse[the more attempts exceed its capacity, the fewer attempts the service can answer]"
  "--ramps[the capacity falls and rises gradually during the trouble, and not at once]"
  "*--config-file[also simulate the policy in \[timeouts\] of this oslo.config file\; may be repeated]:FILE:_files"
  "--json[print the results as JSON]"
  "--html[also write a page with charts, which needs no network]:FILE:_files"
)

# guard to ensure default positional specs are added only once per session
_shtab_os_retries_simulate_defaults_added=0


_shtab_os_retries() {
  local context state line curcontext="$curcontext" one_or_more='(*)' remainder='(-)*:' default='*::: :->os-retries'

  # Add default positional/remainder specs only if none exist, and only once per session
  if (( ! _shtab_os_retries_defaults_added )); then
    if (( ${_shtab_os_retries_options[(I)${(q)one_or_more}*]} +          ${_shtab_os_retries_options[(I)${(q)remainder}*]} +          ${_shtab_os_retries_options[(I)${(q)default}]} == 0 )); then
      _shtab_os_retries_options+=(': :_shtab_os_retries_commands' '*::: :->os-retries')
    fi
    _shtab_os_retries_defaults_added=1
  fi
  _arguments -C -s $_shtab_os_retries_options

  case $state in
    os-retries)
      words=($line[1] "${words[@]}")
      (( CURRENT += 1 ))
      curcontext="${curcontext%:*:*}:_shtab_os_retries-$line[1]:"
      case $line[1] in
        check) _arguments -C -s $_shtab_os_retries_check_options ;;
        completion) _arguments -C -s $_shtab_os_retries_completion_options ;;
        env) _arguments -C -s $_shtab_os_retries_env_options ;;
        operation) _shtab_os_retries_operation ;;
        rehearse) _arguments -C -s $_shtab_os_retries_rehearse_options ;;
        rewrite) _arguments -C -s $_shtab_os_retries_rewrite_options ;;
        run) _arguments -C -s $_shtab_os_retries_run_options ;;
        simulate) _arguments -C -s $_shtab_os_retries_simulate_options ;;
      esac
  esac
}

_shtab_os_retries_operation() {
  local context state line curcontext="$curcontext" one_or_more='(*)' remainder='(-)*:' default='*::: :->operation'

  # Add default positional/remainder specs only if none exist, and only once per session
  if (( ! _shtab_os_retries_operation_defaults_added )); then
    if (( ${_shtab_os_retries_operation_options[(I)${(q)one_or_more}*]} +          ${_shtab_os_retries_operation_options[(I)${(q)remainder}*]} +          ${_shtab_os_retries_operation_options[(I)${(q)default}]} == 0 )); then
      _shtab_os_retries_operation_options+=(': :_shtab_os_retries_operation_commands' '*::: :->operation')
    fi
    _shtab_os_retries_operation_defaults_added=1
  fi
  _arguments -C -s $_shtab_os_retries_operation_options

  case $state in
    operation)
      words=($line[1] "${words[@]}")
      (( CURRENT += 1 ))
      curcontext="${curcontext%:*:*}:_shtab_os_retries_operation-$line[1]:"
      case $line[1] in
        forget) _arguments -C -s $_shtab_os_retries_operation_forget_options ;;
        show) _arguments -C -s $_shtab_os_retries_operation_show_options ;;
      esac
  esac
}

typeset -A opt_args

# After `run --` and `rehearse --` comes another command, which is completed in its own way.
_os_retries() {
  local at=${words[(i)--]}
  if [[ ${words[2]} == (run|rehearse) ]] && (( at < CURRENT )); then
    words=("${(@)words[at+1,-1]}")
    (( CURRENT -= at ))
    _normal
  else
    _shtab_os_retries "$@"
  fi
}

case $zsh_eval_context[-1] in
  eval|file) compdef _os_retries os-retries ;;
  *) _os_retries "$@" ;;  # found in fpath: zsh calls this file for each completion
esac
