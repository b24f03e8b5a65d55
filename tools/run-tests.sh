#!/usr/bin/env bash
# Runs test programs from the root of the repository, all of them even if one fails:
#   run-tests.sh [PROGRAM...]   by default $BUILD/tests/*_test for each tests/*_test.c
# The last line on stdout is "N passed, N failed", summed over Criterion's counts; a program that
# ends without a count, or unhappily for another reason than its tests, is one more failed.
# Exit 1 when something failed or nothing ran.
# Criterion warns by exit status, even of a warning that a test logs: --ignore-warnings.
# Environment: BUILD (build); FILTER=name runs name_test only; JOBS, tests of a program at a time (1).
# For the tests: TS_BUILD, the folder with the programs under test.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 4

BUILD=${BUILD:-build}
export TS_BUILD=$BUILD
# Runs one program: what it says goes to standard output, its counts to a file beside.
run_one() {
    local program=$1 name start status counts tested passing bad=0 log
    name=$(basename "$program")
    log=$results/$name.log
    start=$SECONDS
    if [ ! -x "$program" ]; then
        echo "$name: $program was not built"
        echo "0 1 $name" >"$results/$name.counts"
        return
    fi
    case $program in
    /*) ;;
    *) program=./$program ;;
    esac
    "$program" --color=never --ignore-warnings --verbose=1 --jobs "${JOBS:-1}" >"$log" 2>&1 </dev/null
    status=$?
    counts=$(sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) | .*/\1 \2/p' "$log" |
        tail -n 1)
    # programs without Criterion end with the same line as this script
    [ -n "$counts" ] || counts=$(sed -n 's/^\([^ ]*: \)\{0,1\}\([0-9]*\) passed, \([0-9]*\) failed.*/\2 \3/p' \
        "$log" | awk '{ line = $1 + $2 " " $1 } END { print line }')
    tested=${counts% *}
    passing=${counts#* }
    if [ -z "$counts" ]; then
        bad=1
        passing=0
    elif [ "$tested" -eq 0 ] && grep -q '^\[SKIP\]' "$log"; then
        status=0 # every test of it said why not
    elif [ "$tested" -eq 0 ]; then
        echo "$name: no tests" >>"$log"
        bad=1
    else
        bad=$((tested - passing))
    fi
    # Criterion takes a test's word before its process ends: a leak found at exit is not counted.
    if [ $bad -eq 0 ] && grep -qE '^==[0-9]+==ERROR: |^WARNING: ThreadSanitizer: |: runtime error: ' "$log"; then
        echo "$name: all tests passed, yet the sanitizer found the above" >>"$log"
        bad=1
    fi
    if [ $status -ne 0 ] && [ $bad -eq 0 ]; then
        echo "$name: all tests passed, yet it exited with $status" >>"$log"
        bad=1
    fi
    if [ $bad -ne 0 ]; then
        [ -n "$counts" ] || echo "$name: ended with $status before it counted its tests" >>"$log"
        cat "$log"
    fi
    grep '^\[SKIP\]' "$log"
    printf '%-28s %4d passed %4d failed  %4d s\n' "$name" "$passing" "$bad" $((SECONDS - start))
    echo "$passing $bad $name" >"$results/$name.counts"
}

if [ "${1:-}" = --one ]; then
    results=$2
    run_one "$3" >"$results/$(basename "$3").said"
    cat "$results/$(basename "$3").said" # at once, so that suites do not mix
    exit 0
fi

filter=${FILTER:-}
filter=${filter%_test}
if [ $# -eq 0 ]; then
    for source in tests/*_test.c; do
        [ -f "$source" ] || continue
        name=$(basename "$source" .c)
        set -- "$@" "$BUILD/tests/$name"
    done
fi
mkdir -p "$BUILD/tmp" build/tmp || exit 4
results=$BUILD/tmp/run-tests.$$
mkdir -p "$results" || exit 4
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT TERM

filter_out() { # the programs that FILTER wants, those of kernels first
    local program name
    for program in "$@"; do
        name=$(basename "$program")
        if [ -z "$filter" ] || [ "$name" = "${filter}_test" ] || [ "$name" = "$filter" ]; then
            case $name in
            metal_* | check_* | session_*) echo "0 $program" ;;
            *) echo "1 $program" ;;
            esac
        fi
    done | sort -s -k 1,1 | cut -d ' ' -f 2-
}

# Side by side, each with one test at a time: most suites spend long in a single one.
processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
filter_out "$@" | xargs -n 1 -P "$processors" tools/run-tests.sh --one "$results"
summary=$(cat "$results"/*.counts 2>/dev/null | awk '
    { passed += $1; failed += $2; if ($2 > 0) unhappy = unhappy " " $3 }
    END { print passed + 0, failed + 0, unhappy }')
passed=${summary%% *}
summary=${summary#* }
failed=${summary%% *}
unhappy=${summary#"$failed"}
unhappy=${unhappy# }
[ -z "$unhappy" ] || echo "failed:$unhappy"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
