#!/usr/bin/env bash
# Which lines of the Metal kernels does the check never run? LLVM's coverage of the objects that the
# software Metal device compiles (SOFTMETAL_COVERAGE), mapped back to kernels/*.metal and their headers:
#   kernel-coverage.sh [CHECK_OPTION...]   such as --filter norm: lines of other families then count too
# A template counts where it is instantiated. Prints `id file:line: text` of every line that was not executed. A list explains those that no case
# can reach: `id reason` a line; an id stays while the line's text does. The last line is
# `N lines, N executed, N explained, N unexplained`. Exit 1: one is unexplained, or the check failed.
# Environment: BUILD (build); EXPLAINED, the list (tests/data/kernel-coverage.explained).
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build}
EXPLAINED=${EXPLAINED:-tests/data/kernel-coverage.explained}
[ -f "$EXPLAINED" ] || EXPLAINED=/dev/null
folder=$BUILD/kernel-coverage
rm -rf "$folder"
mkdir -p "$folder"
export SOFTMETAL_COVERAGE=$folder

tools/setup.sh --coverage
"$BUILD/touchstone" check "$@" | tail -n 1
"$BUILD/touchstone" check --probe
llvm-profdata-19 merge -sparse -o "$folder/all.profdata" "$folder"/*.profraw
objects=
for object in "$folder"/*.so; do
    objects="$objects -object $object"
done
# shellcheck disable=SC2086
llvm-cov-19 export -format=lcov -instr-profile="$folder/all.profdata" $objects \
    >"$folder/lcov" 2>"$folder/llvm-cov.log" || { # it warns of functions that an object does not use
    cat "$folder/llvm-cov.log" >&2
    exit 4
}

# Lines of the compiled C++ to lines of the source; what ran in one object has run.
awk '
    function map(file,   line, n, origin, place) {
        n = 0
        while ((getline line < file) > 0) {
            n++
            if (line ~ /^# [0-9]+ "/) {
                split(line, place, "\"")
                origin = place[2]
                number = substr(line, 3) + 0
            } else {
                from[n] = origin ":" number++
            }
        }
        close(file)
    }
    /^SF:/ { split("", from); map(substr($0, 4)) }
    /^DA:/ {
        split(substr($0, 4), pair, ",")
        place = from[pair[1]]
        if (place ~ /^kernels\//) {
            if (!(place in count)) count[place] = 0
            if (pair[2] + 0 > count[place]) count[place] = pair[2] + 0
        }
    }
    END { for (place in count) print place, count[place] }' "$folder/lcov" |
    sort -t : -k 1,1 -k 2,2n >"$folder/lines"

lines=$(($(wc -l <"$folder/lines")))
explained=0
unexplained=0
while read -r place count; do
    [ "$count" = 0 ] || continue
    file=${place%:*}
    number=${place##*:}
    text=$(sed -n "${number}s/^[[:space:]]*//p" "$file")
    id=$(printf '%s %s' "$file" "$text" | cksum | cut -d ' ' -f 1)
    reason=$(sed -n "s/^$id //p" "$EXPLAINED" | head -n 1)
    if [ -n "$reason" ]; then
        echo "explained   $id $place: $text"
        echo "            $reason"
        explained=$((explained + 1))
    else
        echo "UNEXPLAINED $id $place: $text"
        unexplained=$((unexplained + 1))
    fi
done <"$folder/lines"
echo "$lines lines, $((lines - explained - unexplained)) executed, $explained explained, $unexplained unexplained"
[ "$unexplained" -eq 0 ] && [ "$lines" -gt 0 ]
