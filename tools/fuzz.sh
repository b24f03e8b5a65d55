#!/usr/bin/env bash
# Runs the fuzz targets one after the other, each for a while, from its committed seeds and what
# earlier runs found, and adds libFuzzer's own final counts to $BUILD/runs.tsv:
#   fuzz.sh          run; the last line says how many targets found nothing
#   fuzz.sh --sums   print the counts of all runs so far, a Markdown table
# Exit 1: a target found something; the input is kept below $BUILD/findings. Exit 4: not built.
# Environment: BUILD (build/fuzz); FUZZ_SECONDS (60); FUZZ_RUNS, executions instead of seconds;
# FILTER=name, only that target.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build/fuzz}
seconds=${FUZZ_SECONDS:-60}
filter=${FILTER:-}
table=$BUILD/runs.tsv # target, executions, seconds, date, exit status

if [ "${1:-}" = --sums ]; then
    echo '| target | executions | per second | runs | last run | findings |'
    echo '|---|---:|---:|---:|---|---:|'
    sort -k 1,1 -s "$table" | awk -F '\t' '
        function print_sum() {
            if (target != "")
                printf "| %s | %d | %d | %d | %s | %d |\n", target, executions,
                       executions / (time > 0 ? time : 1), runs, date, findings
        }
        $1 != target { print_sum(); target = $1; executions = time = runs = findings = 0 }
        { executions += $2; time += $3; runs++; date = $4; findings += $5 != 0 }
        END { print_sum() }'
    exit 0
fi

case $seconds in
'' | *[!0-9]*)
    echo "touchstone: FUZZ_SECONDS=$seconds is not a whole number" >&2
    exit 2
    ;;
esac
limit=-max_total_time=$seconds
[ -z "${FUZZ_RUNS:-}" ] || limit=-runs=$FUZZ_RUNS

log=$BUILD/log.$$
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
good=0
bad=
for source in tests/fuzz/*_fuzz.c; do
    target=$(basename "$source" _fuzz.c)
    [ -z "$filter" ] || [ "$filter" = "$target" ] || continue
    fuzzer=$BUILD/$target-fuzzer
    if [ ! -x "$fuzzer" ]; then
        echo "touchstone: $fuzzer was not built: make fuzz" >&2
        exit 4
    fi
    mkdir -p "$BUILD/corpus/$target" "$BUILD/findings"
    longest=4096
    case $target in gguf | trace) longest=49152 ;; esac # a whole model fits in
    start=$SECONDS
    status=0
    "./${fuzzer#./}" "$limit" -print_final_stats=1 -timeout=20 -rss_limit_mb=2048 -max_len=$longest \
        -artifact_prefix="$BUILD/findings/$target-" \
        "$BUILD/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 </dev/null || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    printf '%s\t%s\t%s\t%s\t%s\n' "$target" "${runs:-0}" $((SECONDS - start)) \
        "$(date -u +%Y-%m-%d)" "$status" >>"$table"
    if [ "$status" -eq 0 ] && [ -n "$runs" ]; then
        good=$((good + 1))
        printf '%-12s %12s executions in %s s, nothing found\n' "$target" "$runs" \
            $((SECONDS - start))
    else
        bad="$bad $target"
        tail -n 60 "$log"
        echo "$target: found something (exit status $status); see $BUILD/findings"
    fi
done
[ -z "$bad" ] || echo "failed:$bad"
echo "$good targets found nothing"
[ -z "$bad" ] && [ $good -gt 0 ]
