#!/usr/bin/env bash
# Packs what a first run on a machine says into one file: environment, probe, check, test, bench. Every step
# runs even if one before it failed; its exit code is in steps.txt.
#   mac-report.sh        writes $BUILD/mac-report.tar.gz
# Environment: BUILD (build); MODEL, a file to bench and inspect too; QUICK=1 leaves out tests and bench.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 4

BUILD=${BUILD:-build}
folder=$BUILD/mac-report
rm -rf "$folder"
mkdir -p "$folder" || exit 4
failed=0

step() { # step NAME COMMAND...: its output goes to NAME.txt
    local name=$1 code=0 start=$SECONDS
    shift
    printf '%-12s %s\n' "$name" "$*"
    "$@" >"$folder/$name.txt" 2>&1 </dev/null || code=$?
    printf '%s\t%d\t%d s\t%s\n' "$name" $code $((SECONDS - start)) "$*" >>"$folder/steps.txt"
    if [ $code -ne 0 ]; then
        failed=$((failed + 1))
        echo "             exit $code: $(tail -n 1 "$folder/$name.txt")"
    fi
}

machine() {
    uname -a
    git rev-parse HEAD 2>/dev/null
    git status --short 2>/dev/null | head -n 20
    cc --version
    make --version | head -n 1
    if [ "$(uname -s)" = Darwin ]; then
        sw_vers
        sysctl hw.model hw.memsize hw.ncpu machdep.cpu.brand_string
        system_profiler SPDisplaysDataType | grep -E 'Chipset|Cores|Metal'
    fi
}

step machine machine
step env "$BUILD/touchstone" env
step probe "$BUILD/touchstone" check --probe
step list "$BUILD/touchstone" check --list
step check "$BUILD/touchstone" check
step check-json "$BUILD/touchstone" check --json
step kernels tools/embed-kernels.sh --flat "$folder/flat" kernels/*.metal
if command -v xcrun >/dev/null 2>&1; then
    for file in "$folder"/flat/*.metal; do
        step "metal-$(basename "$file" .metal)" xcrun metal -std=metal3.1 -fno-fast-math -Wall \
            -c "$file" -o "$folder/kernel.air"
    done
    rm -f "$folder/kernel.air"
fi
if [ "${QUICK:-}" != 1 ]; then
    step test make SETUP=0 test
    step bench make SETUP=0 bench
    run=$(find results/runs -mindepth 1 -maxdepth 1 -type d -newer "$folder/machine.txt" 2>/dev/null |
        sort | tail -n 1)
    [ -z "$run" ] || cp -R "$run" "$folder/run"
fi
if [ -n "${MODEL:-}" ]; then
    step inspect "$BUILD/touchstone" inspect "$MODEL"
    step model-run "$BUILD/touchstone" run -m "$MODEL" -p "Hello" -n 32 --temp 0 --json
fi
rm -rf "$folder/flat"
tar -czf "$BUILD/mac-report.tar.gz" -C "$BUILD" mac-report || exit 4
echo "$(($(wc -l <"$folder/steps.txt"))) steps, $failed failed: $BUILD/mac-report.tar.gz"
[ $failed -eq 0 ]
