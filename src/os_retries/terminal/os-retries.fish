# Completion of os-retries for fish. tools/terminal has generated this file with shtab: do not edit it.

function _shtab_os_retries_scan
  set -g _shtab_os_retries_cmdpath ''
  set -g _shtab_os_retries_npos 0
  set -l tokens (commandline -opc)
  set -e tokens[1]
  set -l expect_value 0
  for t in $tokens
    if test $expect_value -eq 1
      set expect_value 0
      continue
    end
    switch "$t"
      case '--*=*'
        continue
      case '-*'
        if contains -- $t $_shtab_os_retries_opts_with_value
          set expect_value 1
        end
        continue
      case '*'
        if test $_shtab_os_retries_npos -eq 0
          set -l candidate $t
          if test -n "$_shtab_os_retries_cmdpath"
            set candidate "$_shtab_os_retries_cmdpath $t"
          end
          if contains -- $candidate $_shtab_os_retries_commands
            set -g _shtab_os_retries_cmdpath $candidate
            continue
          end
        end
        set -g _shtab_os_retries_npos (math $_shtab_os_retries_npos + 1)
    end
  end
end

# Condition helper: true if the current (sub)command path equals the given one.
function _shtab_os_retries_using
  _shtab_os_retries_scan
  test "$_shtab_os_retries_cmdpath" = "$argv"
end

set -g _shtab_os_retries_commands run env operation 'operation show' 'operation forget' check rehearse rewrite simulate completion
set -g _shtab_os_retries_opts_with_value --after --backoff --begins --calls --capacity --client --config-file --exclude --faults --flaps --format --hosts --html --import --jitter --lasts --latency --left --line-length --log-json --max-wait --metrics --operation --os-cloud --otlp --processes --random --rate --repeat --replay --retries --retry-after --seed --state --timeout

complete -c os-retries -e
complete -c os-retries -f

complete -c os-retries -n _shtab_os_retries_using -s h -l help -d 'show this help message and exit'
complete -c os-retries -n _shtab_os_retries_using -l version -d 'print the version and exit'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a run -d 'run any OpenStack program with retries'
complete -c os-retries -n '_shtab_os_retries_using run' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using run' -l retries -x -d 'retries after the first attempt (default: 5)'
complete -c os-retries -n '_shtab_os_retries_using run' -l retry-after -x -d 'wait before the first retry, unless the service sends a Retry-After (default: 1)'
complete -c os-retries -n '_shtab_os_retries_using run' -l backoff -x -d 'factor by which the wait grows with each retry, up to an hour (default: 2)'
complete -c os-retries -n '_shtab_os_retries_using run' -l jitter -x -d 'share of the wait, from 0 to 1, that is drawn at random and added to it (default: 0.25)'
complete -c os-retries -n '_shtab_os_retries_using run' -l max-wait -x -d 'maximum extra wait of one request, if the service asks for a longer wait or is in trouble (default: 300)'
complete -c os-retries -n '_shtab_os_retries_using run' -l timeout -x -d 'time for the service to answer, if the program sets no timeout; inf: no limit (default: 120)'
complete -c os-retries -n '_shtab_os_retries_using run' -l no-safe-creates -d 'do not add markers (os-retries-...) to creates, and do not repeat a create whose answer was lost'
complete -c os-retries -n '_shtab_os_retries_using run' -l single-writer -d 'state that no other client creates such resources in this project, so that a create without room for a marker (a network with a long description, EC2 credentials) is found as the new resource that matches the request'
complete -c os-retries -n '_shtab_os_retries_using run' -l no-pacing -d 'retry each request on its own schedule, even while the service is in trouble (default: at the rate that the service can take)'
complete -c os-retries -n '_shtab_os_retries_using run' -l config-file -xka "(__fish_complete_path (commandline -ct))" -d 'take the numbers from [timeouts] of an oslo.config file; numbers that are not set there are the specification'"'"'s (10 seconds, constant, no timeout); the options above override the file'
complete -c os-retries -n '_shtab_os_retries_using run' -l service-config -d 'for an OpenStack service: take the numbers from [timeouts] of the service'"'"'s own configuration, once the service has read its files, and again when it reads them again; the options and the file above apply until then'
complete -c os-retries -n '_shtab_os_retries_using run' -l log-json -xka "(__fish_complete_path (commandline -ct))" -d 'append one JSON object for each retry, each look-up of a create, and each request that is given up or answered with an error after retries'
complete -c os-retries -n '_shtab_os_retries_using run' -l operation -x -d 'make nothing twice, even if COMMAND is killed and run again with the same KEY (default: OSRETRIES_OPERATION in the environment, if it is set)'
complete -c os-retries -n '_shtab_os_retries_using run' -l strict -d 'do not send a write that another run with this KEY could not recognize'
complete -c os-retries -n '_shtab_os_retries_using run' -l state -xka "(__fish_complete_path (commandline -ct))" -d 'note in a local FILE what was sent, so that what was surely never sent needs no look; all runs with this KEY use the same FILE (default: OSRETRIES_STATE in the environment, if it is set)'
complete -c os-retries -n '_shtab_os_retries_using run' -s q -l quiet -d 'write nothing to standard error'
complete -c os-retries -n '_shtab_os_retries_using run' -l metrics -xka "(__fish_complete_path (commandline -ct))" -d 'at the end, write the metrics of the whole run to a file for the textfile collector of Prometheus (FILE.prom); os-retries then stays until the end, even with --quiet'
complete -c os-retries -n '_shtab_os_retries_using run' -l otlp -x -d 'at the end, send the same metrics to a receiver of OTLP over HTTP (default: OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318)'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a env -d 'print the variables that give a program these retries'
complete -c os-retries -n '_shtab_os_retries_using env' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using env' -l shell -d 'for the shell: export NAME='"'"'VALUE'"'"' (default)'
complete -c os-retries -n '_shtab_os_retries_using env' -l systemd -d 'for a unit file, or a drop-in of one: Environment="NAME=VALUE" below [Service]'
complete -c os-retries -n '_shtab_os_retries_using env' -l dotenv -d 'NAME=VALUE, without quotes'
complete -c os-retries -n '_shtab_os_retries_using env' -l retries -x -d 'retries after the first attempt (default: 5)'
complete -c os-retries -n '_shtab_os_retries_using env' -l retry-after -x -d 'wait before the first retry, unless the service sends a Retry-After (default: 1)'
complete -c os-retries -n '_shtab_os_retries_using env' -l backoff -x -d 'factor by which the wait grows with each retry, up to an hour (default: 2)'
complete -c os-retries -n '_shtab_os_retries_using env' -l jitter -x -d 'share of the wait, from 0 to 1, that is drawn at random and added to it (default: 0.25)'
complete -c os-retries -n '_shtab_os_retries_using env' -l max-wait -x -d 'maximum extra wait of one request, if the service asks for a longer wait or is in trouble (default: 300)'
complete -c os-retries -n '_shtab_os_retries_using env' -l timeout -x -d 'time for the service to answer, if the program sets no timeout; inf: no limit (default: 120)'
complete -c os-retries -n '_shtab_os_retries_using env' -l no-safe-creates -d 'do not add markers (os-retries-...) to creates, and do not repeat a create whose answer was lost'
complete -c os-retries -n '_shtab_os_retries_using env' -l single-writer -d 'state that no other client creates such resources in this project, so that a create without room for a marker (a network with a long description, EC2 credentials) is found as the new resource that matches the request'
complete -c os-retries -n '_shtab_os_retries_using env' -l no-pacing -d 'retry each request on its own schedule, even while the service is in trouble (default: at the rate that the service can take)'
complete -c os-retries -n '_shtab_os_retries_using env' -l config-file -xka "(__fish_complete_path (commandline -ct))" -d 'take the numbers from [timeouts] of an oslo.config file; numbers that are not set there are the specification'"'"'s (10 seconds, constant, no timeout); the options above override the file'
complete -c os-retries -n '_shtab_os_retries_using env' -l service-config -d 'for an OpenStack service: take the numbers from [timeouts] of the service'"'"'s own configuration, once the service has read its files, and again when it reads them again; the options and the file above apply until then'
complete -c os-retries -n '_shtab_os_retries_using env' -l log-json -xka "(__fish_complete_path (commandline -ct))" -d 'append one JSON object for each retry, each look-up of a create, and each request that is given up or answered with an error after retries'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a operation -d 'show the resources of an operation, or remove its markers'
complete -c os-retries -n '_shtab_os_retries_using operation' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using operation; and test $_shtab_os_retries_npos -eq 0' -a show -d 'list the resources that carry a marker of the operation'
complete -c os-retries -n '_shtab_os_retries_using operation show' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using operation show' -l os-cloud -x -d 'the name of the cloud in clouds.yaml'
complete -c os-retries -n '_shtab_os_retries_using operation show' -l json -d 'print a JSON list'
complete -c os-retries -n '_shtab_os_retries_using operation; and test $_shtab_os_retries_npos -eq 0' -a forget -d 'remove the markers; the resources stay, and another run with this key makes new ones'
complete -c os-retries -n '_shtab_os_retries_using operation forget' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using operation forget' -l os-cloud -x -d 'the name of the cloud in clouds.yaml'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a check -d 'show what repeats requests in this environment today, and how the attempts multiply'
complete -c os-retries -n '_shtab_os_retries_using check' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using check' -l json -d 'print the report as JSON'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a rehearse -d 'try a program under faults, without retries and with them'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l faults -x -d 'which faults (default: '"'"'lost 5%, refused 10%'"'"')'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l replay -xka "(__fish_complete_path (commandline -ct))" -d 'the faults that a --log-json file of os-retries run has recorded'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l seed -x -d 'seed of the random numbers (default: 1)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l tokens -d 'inject faults into requests for tokens and API versions too'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l repeat -x -d 'runs each way, with the seeds N, N+1, … (default: 1)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l json -d 'print the report as JSON'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l html -xka "(__fish_complete_path (commandline -ct))" -d 'also write the report as one HTML page'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l retries -x -d 'retries after the first attempt (default: 5)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l retry-after -x -d 'wait before the first retry, unless the service sends a Retry-After (default: 1)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l backoff -x -d 'factor by which the wait grows with each retry, up to an hour (default: 2)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l jitter -x -d 'share of the wait, from 0 to 1, that is drawn at random and added to it (default: 0.25)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l max-wait -x -d 'maximum extra wait of one request, if the service asks for a longer wait or is in trouble (default: 300)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l timeout -x -d 'time for the service to answer, if the program sets no timeout; inf: no limit (default: 120)'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l no-safe-creates -d 'do not add markers (os-retries-...) to creates, and do not repeat a create whose answer was lost'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l single-writer -d 'state that no other client creates such resources in this project, so that a create without room for a marker (a network with a long description, EC2 credentials) is found as the new resource that matches the request'
complete -c os-retries -n '_shtab_os_retries_using rehearse' -l no-pacing -d 'retry each request on its own schedule, even while the service is in trouble (default: at the rate that the service can take)'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a rewrite -d 'wrap every client call of a code base'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l write -d 'change the files'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l check -d 'list the calls that are not wrapped'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l client -x -d 'a function or class that returns a client (of SERVICE: nova, sdk, sdk.baremetal, ...); may be repeated. The calls of its callers are wrapped, and none inside it'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l import -x -d 'the function to wrap with (default: os_retries:execute_with_retries)'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l exclude -x -d 'leave out files and folders that match; may be repeated'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l no-creates -d 'do not wrap calls that create something, because a repeat after a lost answer creates it twice'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l format -xka "text json sarif" -d 'report as text, or as one JSON or SARIF 2.1.0 document (default: text)'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l tests -d 'include tests; a test file given by name is always included'
complete -c os-retries -n '_shtab_os_retries_using rewrite' -l line-length -x -d 'break a call whose line would become longer than N (default: 79; 0: never break a call)'
complete -c os-retries -n '_shtab_os_retries_using rewrite; and test $_shtab_os_retries_npos -ge 0' -ka "(__fish_complete_path (commandline -ct))" -d 'a file, or a folder (its *.py)'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a simulate -d 'try retry policies on a service in trouble'
complete -c os-retries -n '_shtab_os_retries_using simulate' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l rate -x -d 'calls a second, at random instants (default: 100)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l calls -x -d 'total number of calls (default: enough for three minutes after the trouble)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l capacity -x -d 'attempts a second that the service can take (default: 150)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l begins -x -d 'time until the trouble begins (default: 30)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l lasts -x -d 'how long the trouble lasts; 0: no trouble (default: 40)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l left -x -d 'share of the capacity that is left during the trouble; 0: an outage (default: 0)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l after -x -d 'capacity after the trouble (default: as before)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l random -x -d 'share of all attempts that fail at random, always (default: 0)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l latency -x -d 'how long an answer takes (default: 0.1)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l flaps -x -d 'the trouble comes and goes, and each phase lasts so many seconds'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l processes -x -d 'processes that share the calls (default: 1); if more, with a queue for each process, host, and all hosts'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l hosts -x -d 'number of hosts that the processes are spread over (default: 1)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l seed -x -d 'seed of the random numbers (default: 1)'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l collapse -d 'the more attempts exceed its capacity, the fewer attempts the service can answer'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l ramps -d 'the capacity falls and rises gradually during the trouble, and not at once'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l config-file -xka "(__fish_complete_path (commandline -ct))" -d 'also simulate the policy in [timeouts] of this oslo.config file; may be repeated'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l json -d 'print the results as JSON'
complete -c os-retries -n '_shtab_os_retries_using simulate' -l html -xka "(__fish_complete_path (commandline -ct))" -d 'also write a page with charts, which needs no network'
complete -c os-retries -n '_shtab_os_retries_using; and test $_shtab_os_retries_npos -eq 0' -a completion -d 'print the completion script for a shell'
complete -c os-retries -n '_shtab_os_retries_using completion' -s h -l help -d 'show this help message and exit'
complete -c os-retries -n '_shtab_os_retries_using completion; and test $_shtab_os_retries_npos -eq 0' -ka "bash zsh fish" -d 'bash, zsh or fish'

# After `run --` and `rehearse --` comes another command, which is completed in its own way.
function _os_retries_at_command
  set -l tokens (commandline -opc)
  contains -- "$tokens[2]" run rehearse; and contains -- -- $tokens
end

function _os_retries_command
  set -l tokens (commandline -opc)
  set -e tokens[1..(contains -i -- -- $tokens)]
  complete -C (string join ' ' -- (string escape -- $tokens) (commandline -ct))
end

complete -c os-retries -n _os_retries_at_command -x -a '(_os_retries_command)'
