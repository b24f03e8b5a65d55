#!/usr/bin/env bash
# Writes the Metal source of each kernel family as one text, its includes put in place, because Metal's
# compiler at run time finds no files:
#   embed-kernels.sh FILE.metal...            C source with all of them, on standard output
#   embed-kernels.sh --flat DIR FILE.metal... DIR/<family>.metal, what --kernels DIR reads
# Run in the root of the tree: includes are named from there. #line keeps what compilers say true.
set -euo pipefail

flatten() { # flatten FILE
    awk '
        function put(file,   line, number, name, status) {
            if (file in seen && file !~ /\.def$/) return
            seen[file] = 1
            printf "#line 1 \"%s\"\n", file
            number = 0
            while ((status = (getline line < file)) > 0) {
                number++
                if (line ~ /^[ \t]*#[ \t]*include[ \t]+"/) {
                    name = line
                    sub(/^[^"]*"/, "", name)
                    sub(/".*$/, "", name)
                    put(name)
                    printf "#line %d \"%s\"\n", number + 1, file
                } else {
                    print line
                }
            }
            if (status < 0) {
                printf "embed-kernels: %s: cannot be read\n", file > "/dev/stderr"
                exit 1
            }
            close(file)
        }
        BEGIN { put(ARGV[1]); exit 0 }' "$1"
}

if [ "${1:-}" = --flat ]; then
    folder=$2
    shift 2
    mkdir -p "$folder"
    for file in "$@"; do
        flatten "$file" >"$folder/$(basename "$file")"
    done
    exit 0
fi

echo '#include "engine/device/metal/source.h"'
echo
echo '#include <stddef.h>'
echo
echo 'const struct ts_kernel_source ts_kernel_sources[] = {'
for file in "$@"; do
    printf '    {"%s",\n' "$(basename "$file" .metal)"
    flatten "$file" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$/\\n"/'
    echo '    },'
done
echo '    {NULL, NULL},'
echo '};'
