#!/usr/bin/env bash
# Checks the rules of the house that a machine can check, prints every breach, exits 1 if any.
#   lint.sh            check
#   lint.sh --format   put all C files into the house style instead
# Tools that are not installed are named and skipped. Environment: LIBRARY, the archive whose
# symbols are checked (build/libtouchstone.a); SOFTMETAL, the program that knows the rules of Metal
# code (build/softmetal); CLANG_FORMAT.
# Patterns are written with a [b]racket where they would find themselves in this file.
set -euo pipefail
cd "$(dirname "$0")/.."

LIBRARY=${LIBRARY:-build/libtouchstone.a}
SOFTMETAL=${SOFTMETAL:-build/softmetal}
CLANG_FORMAT=${CLANG_FORMAT:-clang-format}
max_lines=500
max_function=60

breaches=$(mktemp "${TMPDIR:-/tmp}/touchstone-lint.XXXXXX")
trap 'rm -f "$breaches"' EXIT

breach() { echo "$1" | tee -a "$breaches"; }
breach_lines() { while IFS= read -r line; do breach "$1$line"; done; }

files() { # files EREGEX: those of the project whose path matches, also new ones; none has a space
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -co --exclude-standard
    else
        find . -type f ! -path './build/*' ! -path './.git/*' | sed 's|^\./||'
    fi | grep -E "$1" | sort -u | while IFS= read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# Prints the matches of an extended regex as file:line:text; finding none is no failure.
find_in() { # find_in EREGEX FILES
    [ -z "$2" ] || echo "$2" | xargs grep -nHIE -e "$1" || true
}

# The same without lines that are only a comment.
find_code() { # find_code EREGEX FILES
    find_in "$1" "$2" | grep -vE '^[^:]*:[0-9]*:[[:space:]]*(#[^!]|//|/?\*)' || true
}

c_files=$(files '\.(c|h|m)$' || true)
script_files=$(files '(\.sh|^\.ci/run)$' || true)
all_files=$(files '.' || true)

if [ "${1:-}" = --format ]; then
    if ! command -v "$CLANG_FORMAT" >/dev/null 2>&1; then
        echo "touchstone: missing package: apt-get install clang-format" \
            "(macOS: brew install clang-format)" >&2
        exit 4
    fi
    [ -z "$c_files" ] || echo "$c_files" | xargs "$CLANG_FORMAT" -i
    exit 0
fi

check_lengths() {
    local file lines
    for file in $(files '(\.(c|h|m|mm|metal|cpp|py|sh)|^\.ci/run)$'); do
        lines=$(($(wc -l <"$file")))
        [ "$lines" -le $max_lines ] || breach "$file: $lines lines; at most $max_lines"
    done
    # In the house style only a function's braces stand in the first column, and those of a C++ class,
    # which end in "};", and of its namespaces.
    for file in $(files '\.(c|h|m|mm|metal|cpp)$'); do
        awk -v max=$max_function -v file="$file" '
            /^\{/ && last !~ /^(inline )?namespace / { start = FNR }
            /^\}/ && start {
                if ($0 !~ /^\};/ && FNR - start - 1 > max)
                    printf "%s:%d: a function of %d lines; at most %d\n",
                           file, start, FNR - start - 1, max
                start = 0
            }
            { last = $0 }' "$file"
    done | breach_lines ''
}

# macOS ships GNU make 3.81 and bash 3.2, and no GNU coreutils.
check_widths() { # clang-format does not know these
    local kernels
    kernels=$(files '\.metal$' | grep -v '^tools/softmetal/' || true)
    find_in '^.{101,}$' "$kernels" | cut -c 1-60 | breach_lines 'over 100 columns: '
}

check_portability() {
    local makefiles
    makefiles=$(files '(^|/)Makefile$|\.mk$' || true)
    find_code '^[^	#]*[^	 ] *(!=|::=|\+:=)|^\.ONESHEL[L]|\$\([f]ile |[&]:|^ *undefin[e] ' "$makefiles" |
        breach_lines 'not known to GNU make 3.81: '
    find_code '(^|[^[:alnum:]_-])(n[p]roc|readlink -[f]|date (-[d]|--date)|sed (-[a-zA-Z]+ )*-[i]|timeou[t] [0-9]|stat -[c]|grep -[a-zA-Z]*[P]|sha256su[m]|realpat[h])($|[^[:alnum:]_-])' \
        "$makefiles
$script_files" | breach_lines 'not on macOS: '
    find_code '(declare|local|typeset) -[a-zA-Z]*[Agn]|mapfil[e] |readarra[y] |\$\{[a-zA-Z_]+(,|\^)|wait -[n]|copro[c] |[&]>>|\|[&]|\$\{[a-zA-Z_]+@[A-Za-z]\}' \
        "$script_files" | breach_lines 'not known to bash 3.2: '
}

check_words() {
    find_in '/wor[k]/|\.\./share[d]|TOD[O]|FIXM[E]|XX[X]:' "$all_files" | cut -c 1-160 |
        breach_lines 'not in this tree: '
    find_in '(^|[^[:alnum:]])[Ii]ssue[s]? ?#?[0-9]' "$all_files" | cut -c 1-160 |
        breach_lines 'no issue numbers: '
    find_code '-ff[a]st-math|-Of[a]st|-ffp-contract=(f[a]st|o[n])|-fassociati[v]e' \
        "$(files '(^|/)Makefile$|\.(mk|sh|c|h)$')" | breach_lines 'no fast math: '
    find_in 'typedef .*_t;|^(struct|enum|union) [a-z0-9_]+_t( |$)' "$c_files" |
        breach_lines 'no type ends in _t: '
}

# Errors are values below the command line. Comments are cut off first.
check_no_exit() {
    local file
    for file in $(files '^(base|engine|kernels|reference|bench)/.*\.(c|h|m|def)$'); do
        sed -e 's|//.*||' -e 's|/\*.*\*/||' -e 's|/\*.*||' -e '/^ *\*/d' "$file" |
            { grep -nE '(^|[^_[:alnum:]])(assert|exit|_exit|_Exit|quick_exit|abort) *\(' || true; } |
            breach_lines "$file: only the command line may end the program: "
    done
}

# Arrows between folders point down.
check_layers() {
    local file allowed
    for file in $(files '^(base|engine|kernels|reference|bench|tools/touchstone)/.*\.(c|h|m|mm|metal|def)$'); do
        case $file in
        base/*) allowed='base' ;;
        kernels/*) allowed='base|kernels' ;;
        reference/*) allowed='base|kernels|reference' ;;
        engine/*) allowed='base|kernels|reference|engine' ;;
        bench/*) allowed='base|kernels|reference|engine|bench' ;;
        tools/*) allowed='base|kernels|reference|engine|bench|tools/touchstone' ;;
        esac
        { grep -nE '^ *# *include +"' "$file" || true; } |
            { grep -vE "\"($allowed)/[^\"]+\"" || true; } |
            breach_lines "$file: $allowed is all that it may include: "
    done
}

# The rooms of a folder in their order: each may include itself and those before it.
check_rooms() { # check_rooms FOLDER ROOM...
    local folder=$1 allowed="" room file
    shift
    for room in "$@"; do
        allowed="$allowed${allowed:+|}$room"
        for file in $(files "^$folder/$room/.*\.(c|h|m|def)$"); do
            { grep -nE "^ *# *include +\"$folder/" "$file" || true; } |
                { grep -vE "\"$folder/($allowed)/" || true; } |
                breach_lines "$file: above its room: "
        done
    done
    files "^$folder/" | { grep -vE "^$folder/($allowed)/" || true; } |
        breach_lines 'has no place in the order of rooms: '
}

# No file may need another that needs it, neither by includes nor by what is called: helpers belong below
# the top of their subject. tsort names the files of a circle.
check_circles() {
    local folder=${LIBRARY%/*} source
    for source in $(files '^(base|engine|kernels|reference|bench|tools/touchstone)/.*\.(c|h|m|metal|def)$'); do
        sed -n 's|^ *# *include *"\([^"]*\)".*|'"$source"' \1|p' "$source"
    done | awk '$1 != $2' | tsort 2>&1 >/dev/null | breach_lines 'includes in a circle: '
    for source in $(files '^(base|engine|kernels|reference|bench|tools/touchstone)/.*\.(c|m)$'); do
        source=${source%.*}
        [ ! -f "$folder/$source.o" ] || nm -A -g "$folder/$source.o" 2>/dev/null
    done | awk -v folder="$folder/" '
        { file = substr($1, length(folder) + 1); sub(/\.o:.*/, "", file) }
        $(NF - 1) == "U" { used[file " " $NF] = 1; next }
        { defined[$NF] = file }
        END {
            for (use in used) {
                split(use, part, " ")
                if (part[2] in defined && defined[part[2]] != part[1])
                    print part[1], defined[part[2]]
            }
        }' | sort -u | tsort 2>&1 >/dev/null | breach_lines 'calls in a circle: '
}

# Every defined external symbol is ours by name, and nothing that can be written is global. What the
# Objective-C compiler makes for its runtime is not ours to judge.
check_symbols() {
    if [ ! -f "$LIBRARY" ]; then
        breach "$LIBRARY: not built, so its symbols cannot be checked"
        return
    fi
    nm -g "$LIBRARY" 2>/dev/null | awk 'NF == 3 && $2 ~ /[A-TV-Z]/ { print $3 }' |
        { if [ "$(uname -s)" = Darwin ]; then sed 's/^_//'; else cat; fi; } |
        { grep -vE '^ts_|objc|OBJC' || true; } | breach_lines "$LIBRARY: external, yet not ts_: "
    if nm --version 2>/dev/null | grep -q GNU; then
        nm -f sysv "$LIBRARY" 2>/dev/null |
            awk -F '|' '$7 ~ /^ *\.t?(data|bss)(\.|$)/ && $7 !~ /\.data\.rel\.ro/ &&
                        $4 !~ /SECTION/ { gsub(/ /, "", $1); print $1 }' |
            { grep -vE 'objc|OBJC|^__unnamed_' || true; } |
            breach_lines "$LIBRARY: no globals but constant tables: "
    fi
}

check_format() {
    local file
    if ! command -v "$CLANG_FORMAT" >/dev/null 2>&1; then
        echo "skipped: clang-format is not installed (apt and brew: clang-format)"
        return
    fi
    for file in $c_files; do
        "$CLANG_FORMAT" "$file" | cmp -s - "$file" || breach "$file: not formatted: make format"
    done
}

# What Apple's compiler refuses, as far as it can be told without it.
check_kernels() {
    local kernels
    kernels=$(files '^kernels/.*\.metal$' || true)
    if [ ! -x "$SOFTMETAL" ]; then
        echo "skipped: $SOFTMETAL is not built, which lints Metal code"
        return
    fi
    # shellcheck disable=SC2086
    [ -z "$kernels" ] || { "$SOFTMETAL" lint $kernels -I . 2>&1 || true; } | breach_lines ''
}

check_scripts() {
    if ! command -v shellcheck >/dev/null 2>&1; then
        echo "skipped: shellcheck is not installed (apt and brew: shellcheck)"
        return
    fi
    [ -z "$script_files" ] || echo "$script_files" | xargs shellcheck -s bash -f gcc |
        breach_lines ''
}

check_lengths
check_widths
check_portability
check_words
check_no_exit
check_layers
check_rooms engine gguf tokenizer prompt model device kv graph session check
check_rooms bench record run report
check_circles
check_symbols
check_format
check_kernels
check_scripts || true

count=$(($(wc -l <"$breaches")))
if [ $count -ne 0 ]; then
    echo "lint: $count breaches"
    exit 1
fi
echo "lint: clean"
