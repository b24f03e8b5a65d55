#!/usr/bin/env bash
# Runs every operation vector file and every trace of a folder, the traces at all chunk sizes and, on a
# device with kernels, fused and unfused, and exits 1 if any fails. A trace MODEL.*.gguf belongs to the model MODEL.gguf beside it (the longest
# name that fits); what a file is, and how it is judged, comes from its metadata.
set -u
build=${BUILD:-build}
folder=${GOLDEN:-}
device=${DEVICE:-reference}
if [ "$device" = reference ]; then
    chunks=${CHUNKS:-1 7 64 128 333 400}
    ways=fused # the reference runs every fused operation as its parts
else
    chunks=${CHUNKS:-1 7 128 400}
    ways='fused unfused'
fi
touchstone=$build/touchstone

if [ -z "$folder" ] || [ ! -d "$folder" ]; then
    echo "check-golden: '$folder' is no folder; use: make check-golden GOLDEN=DIR" >&2
    exit 2
fi

# The value of a text key of a file's metadata.
key() {
    "$touchstone" inspect "$1" 2>/dev/null | awk -v key="$2" '$1 == key { print $3; exit }'
}

models=() traces=() vectors=() unread=()
for file in "$folder"/*.gguf; do
    [ -e "$file" ] || continue
    if [ -n "$(key "$file" golden.class)" ]; then
        traces+=("$file")
    elif [ "$(key "$file" general.type)" = golden-ops ]; then
        vectors+=("$file")
    elif [ "$(key "$file" general.architecture)" = deepseek4 ]; then
        models+=("$file")
    else
        unread+=("$file")
    fi
done

passed=0 failed=0
result() { # NAME EXIT-CODE LAST-LINE
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    printf '%-52s %s\n' "$1" "$3"
}

model_of() {
    local name best='' model stem
    name=$(basename "$1")
    for model in ${models[@]+"${models[@]}"}; do
        stem=$(basename "$model" .gguf)
        case $name in
        "$stem".*) [ ${#model} -gt ${#best} ] && best=$model ;;
        esac
    done
    printf '%s' "$best"
}

for file in ${unread[@]+"${unread[@]}"}; do
    result "$(basename "$file")" 1 "FAIL: neither a model, a trace nor operation vectors"
done
for file in ${vectors[@]+"${vectors[@]}"}; do
    output=$("$touchstone" check --golden "$file" 2>&1)
    result "$(basename "$file")" $? "$(printf '%s\n' "$output" | tail -n 1)"
done
for file in ${traces[@]+"${traces[@]}"}; do
    model=$(model_of "$file")
    if [ -z "$model" ]; then
        result "$(basename "$file")" 1 "FAIL: its model is not in the folder"
        continue
    fi
    for way in $ways; do
        for chunk in $chunks; do
            what="$(basename "$file") chunk $chunk"
            unfused=()
            if [ "$way" = unfused ]; then
                unfused=(--unfused)
                what="$what, unfused"
            fi
            output=$("$touchstone" check -m "$model" --trace "$file" --chunk "$chunk" \
                --device "$device" ${unfused[@]+"${unfused[@]}"} 2>&1)
            result "$what" $? "$(printf '%s\n' "$output" | tail -n 1)"
        done
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
