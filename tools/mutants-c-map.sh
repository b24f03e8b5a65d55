#!/usr/bin/env bash
# Which suites run which lines of C? Runs each suite that was built with --coverage and is newer than its
# map, and keeps what it ran as places (file, function, text of the line; tools/mutate/c/suites.c):
#   mutants-c-map.sh MUTATE_C MAP SUITE...   MUTATE_C: the program, beside a build without coverage;
#   MAP: the folder of the map
# MAP/SUITE begins with `seconds N` (of processors, without coverage) and, for each program that the suite
# ran, `program NAME`; MAP/known has the places of all lines that there are. A suite that fails here keeps what it ran: `make mutants-c` runs
# it again without coverage, and must see it pass.
# Environment: BUILD, the folder of the build with coverage; GCOV (gcov); FOLDERS of the C files.
set -euo pipefail
cd "$(dirname "$0")/.."

mutate=$1
plain=$(dirname "$mutate")
map=$2
shift 2
GCOV=${GCOV:-gcov}
read -r -a folders <<<"${FOLDERS:-engine reference bench}"
mkdir -p "$map" build/tmp
TIMEFORMAT='%U %S' # of processors

# places KIND ENDING...: of the lines that gcov counts as run (or as code: known)
places() {
    local wanted=$1 ending=$2
    for folder in "${folders[@]}"; do
        find "$BUILD/$folder" -name "*.$ending"
    done >"$map/.files"
    [ -s "$map/.files" ] || return 0
    xargs "$GCOV" -t <"$map/.files" 2>/dev/null |
        awk -F : -v wanted="$wanted" '
            { gsub(/ /, "", $1); gsub(/ /, "", $2) }
            $2 == "0" && $3 == "Source" { file = $4 }
            $2 !~ /^[1-9][0-9]*$/ || $1 == "-" { next }
            wanted == "known" || $1 !~ /^[#=]/ { print file " " $2 }' |
        sort -u | "$mutate" map "${folders[@]}" | sort -u
}

made=
for suite in "$@"; do
    name=$(basename "$suite")
    if [ "$map/$name" -nt "$suite" ]; then
        continue
    fi
    find "$BUILD" -name '*.gcda' -exec rm -f {} +
    TS_BUILD=$BUILD "$suite" --color=never --ignore-warnings --jobs 1 >"$map/.log" 2>&1 </dev/null ||
        echo "$name fails in this build: $(grep '::' "$map/.log" | head -n 1)"
    # without coverage, which slows threads down by much
    { time TS_BUILD=$plain "$plain/tests/$name" --ignore-warnings --jobs 1 >"$map/.log" 2>&1 </dev/null ||
        true; } 2>"$map/.time"
    seconds=$(awk '{ print $1 + $2 }' "$map/.time")
    {
        echo "seconds $seconds"
        for program in touchstone make-model make-hostile; do
            [ ! -f "$BUILD/tools/$program/main.gcda" ] || echo "program $program"
        done
        places run gcda
    } >"$map/.new"
    mv "$map/.new" "$map/$name"
    printf '  %-7s %s: %s s, %d places\n' MAP "$name" "$seconds" "$(grep -c : "$map/$name")"
    made=1
done
if [ -n "$made" ] || [ ! -f "$map/known" ]; then
    find "$BUILD" -name '*.gcda' -exec rm -f {} +
    places known gcno >"$map/.new"
    mv "$map/.new" "$map/known"
fi
