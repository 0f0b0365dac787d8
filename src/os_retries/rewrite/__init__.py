"""`os-retries rewrite`: put `execute_with_retries` around the calls of OpenStack clients in a code base.

The package has three groups of modules.  A group may import only the groups before it:

* finding: `services` is the table of clients. `values`, `facts`, `functions`, `classes` and `origins` hold what is
  known about a program. `scope`, `definitions`, `calls`, `expressions` and `evaluate` run it on sets of values.
* changing: `imports` and `edit` change the text of a file. Only these two import LibCST.
* the command: `files` reads and writes, `survey` judges every call, `command` reports, `arguments` has the options.

The code that is read is never imported or run, so this package imports no client and no other part of os_retries.  Only
the command line imports this package.
"""
