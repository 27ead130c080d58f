#!/bin/sh
# run_cmocka.sh PROGRAM [WORD...]: runs a unit test. cmocka calls a test that was skipped "not ok 2 # SKIP", which
# automake's TAP driver takes for a failure.
exec 4>&1
status=$({ { "$@" 3>&- 4>&-; echo $? >&3; } | sed 's/^not ok \([0-9]* # SKIP\)/ok \1/' >&4; } 3>&1)
exit "$status"
