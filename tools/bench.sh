#!/usr/bin/env bash
# Benchmarks models of yours, or two synthetic ones that it writes first:
#   bench.sh                      synthetic models, about three minutes
#   MODEL="a.gguf b.gguf" bench.sh
#   MODEL='"/Volumes/My Disk/a.gguf" b.gguf' bench.sh   quotes or backslashes around spaces; one name
#                                                      may also stand as it is
# Environment: BUILD (build), the folder with the programs; MODEL, files separated by spaces, as above;
# METAL, not empty if the programs have the metal device; DEVICE, names separated by commas (reference,metal, or what
# of these there is; for models of yours on macOS metal alone, because the reference needs hours for
# them). A software device is asked for short prompts only.
# Leaves results/runs/DATE-MACHINE-COMMIT. The exit code is touchstone's.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build}
MODEL=${MODEL:-}
DEVICE=${DEVICE:-}
software_prompt=64

if [ -z "$DEVICE" ] && [ -n "${METAL:-}" ]; then
    DEVICE=reference,metal
    [ -z "$MODEL" ] || [ "$(uname -s)" != Darwin ] || DEVICE=metal
fi
DEVICE=${DEVICE:-reference}

make_models() {
    local recipe file
    mkdir -p "$BUILD/models"
    for recipe in q2 q4; do
        file=$BUILD/models/synthetic-tiny-$recipe.gguf
        if [ ! -f "$file" ] || [ "$BUILD/make-model" -nt "$file" ]; then
            "$BUILD/make-model" --geometry tiny --recipe $recipe -o "$file"
        fi
    done
}

seconds=600
if [ -z "$MODEL" ]; then
    make_models
    MODEL="$BUILD/models/synthetic-tiny-q2.gguf $BUILD/models/synthetic-tiny-q4.gguf"
    seconds=150
fi
echo "devices $DEVICE; a software device gets prompts of at most $software_prompt tokens;" \
    "measuring takes at most $seconds s, the check of kernels about half a minute more"
# Names in quotes, or with backslashes, as in a shell; but nothing in them is run or expanded.
if [ -e "$MODEL" ]; then
    names=$MODEL
elif ! names=$(printf '%s\n' "$MODEL" | xargs printf '%s\n' 2>/dev/null); then
    echo "touchstone: MODEL=$MODEL: a quote is open; write a backslash before one in a name" >&2
    exit 2
fi
set --
while IFS= read -r file; do
    set -- "$@" -m "$file"
done <<END
$names
END
exec "$BUILD/touchstone" bench "$@" --device "$DEVICE" --software-prompt $software_prompt \
    --prompt 16,64,128,256,512 --gen 16 --reps 7 --max-seconds $seconds
