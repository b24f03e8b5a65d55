#!/usr/bin/env bash
# Writes a new PLAIN operation into the tree, which builds and passes its tests afterwards:
#   new-op.sh NAME FAMILY      e.g. new-op.sh value_norm norm
# The operation begins as y = factor * x, so that everything around it can be tried: a line in
# kernels/ops.def and one for its kernel, its argument struct in kernels/FAMILY.h, extent, work and
# cases in kernels/FAMILY.c, the kernel in kernels/FAMILY.metal, the reference in reference/FAMILY.c.
# A family that is new gets its files and its line in kernels/ops.h. Nothing is written unless all
# of it can be. Exit 2: the name or family cannot be. Exit 4: a file cannot be written.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

name=${1:-}
family=${2:-}
longest=40 # keeps every line below 100 columns

refuse() {
    echo "touchstone: new-op: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 2
}

check_word() { # check_word WHAT WORD
    case $2 in
    '') refuse "no $1" "make new-op NAME=value_norm FAMILY=norm" ;;
    [!a-z]* | *[!a-z0-9_]*) refuse "$1 '$2' is not of the form [a-z][a-z0-9_]*" ;;
    esac
    [ ${#2} -le $longest ] || refuse "$1 '$2' is longer than $longest letters"
}

# A name stands for itself in macros, and behind ts_ref_ and the like in functions.
check_name() {
    local taken
    case $name in
    bool | true | false | errno | stdin | stdout | stderr) refuse "'$name' is a macro of C" ;;
    esac
    if grep -qE "^TS_OP\($name," kernels/ops.def; then
        refuse "operation '$name' exists" "grep -rn $name kernels reference"
    fi
    taken=$(grep -rhowE "(ts_(ref|extent|work|expand)_$name|ts_${name}_args)" kernels reference |
        head -n 1 || true)
    [ -z "$taken" ] || refuse "the name $taken is in use for something else" \
        "grep -rnw $taken kernels reference"
}

is_new=no
check_family() {
    local file
    if grep -qE "^TS_OP\([a-z0-9_]+, $family," kernels/ops.def; then
        for file in kernels/"$family".h kernels/"$family".c reference/"$family".c; do
            [ -f "$file" ] || refuse "family '$family' has no $file"
        done
        return
    fi
    is_new=yes
    for file in kernels/"$family".h kernels/"$family".c kernels/"$family".metal \
        reference/"$family".[ch]; do
        [ ! -e "$file" ] || refuse "'$family' is no family, but $file exists" \
            "families: $(families)"
    done
}

families() {
    sed -n 's/^TS_OP([a-z0-9_]*, \([a-z0-9_]*\),.*/\1/p' kernels/ops.def | sort -u | xargs
}

# ---- the parts ---------------------------------------------------------------------------------

# Parameters in the house style: as many on a line as fit, aligned behind the parenthesis.
signature() { # signature "bool f(" PARAMETER...
    local head=$1 line=$1 separator='' parameter
    shift
    while [ $# -gt 0 ]; do
        parameter=$1
        shift
        [ $# -gt 0 ] && parameter="$parameter," || parameter="$parameter)"
        if [ $((${#line} + ${#separator} + ${#parameter})) -gt 100 ]; then
            printf '%s\n' "$line"
            line=$(printf '%*s' ${#head} '')
            separator=
        fi
        line=$line$separator$parameter
        separator=' '
    done
    printf '%s\n' "$line"
}

args_struct() {
    cat <<END
/* y[r, i] = factor * x[r, i]. x, y [rows, width]. */
struct ts_${name}_args {
    uint32_t rows;
    uint32_t width;
    float factor;
};
TS_ABI_SIZE(ts_${name}_args, 12);
TS_ABI_FIELD(ts_${name}_args, rows, 0);
TS_ABI_FIELD(ts_${name}_args, width, 4);
TS_ABI_FIELD(ts_${name}_args, factor, 8);
END
}

host_side() {
    cat <<END
void ts_extent_$name(const void *args, uint64_t *elements)
{
    const struct ts_${name}_args *a = args;
    elements[0] = elements[1] = (uint64_t)a->rows * a->width;
}

void ts_work_$name(const void *args, struct ts_work *work)
{
    const struct ts_${name}_args *a = args;
    work->flops = (uint64_t)a->rows * a->width;
}

TS_CASES($name, NULL, 3, {1, 1, 2.0f}, {5, 96, -0.5f}, {3, 257, 0.75f})

TS_SIZES($name, rows, {.rows = 257, .width = 2, .factor = 2.0f},
         {.rows = 2, .width = 66000, .factor = 2.0f})
END
}

kernel_side() {
    cat <<END
kernel void $name(constant ts_${name}_args &a [[buffer(0)]],
    device const float *x [[buffer(1)]],
    device float *y [[buffer(2)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint index [[thread_index_in_threadgroup]])
{
    uint column = 256 * group.x + index;
    ulong row = ulong(group.y) * a.width;
    if (column < a.width) {
        y[row + column] = a.factor * x[row + column];
    }
}
END
}

reference() {
    signature "bool ts_ref_$name(" 'const void *args' 'const struct ts_ref_in *in' \
        'struct ts_ref_out *out' 'const struct ts_ref_claim *claim' 'struct ts_pool *pool' \
        'struct ts_error *error'
    cat <<END
{
    const struct ts_${name}_args *a = args;
    uint64_t elements = (uint64_t)a->rows * a->width;
    double factor = (double)a->factor;
    struct ts_budget budget = {0};
    (void)pool;
    (void)error;
    if (out[0].err) {
        budget = ts_budget_of(claim, elements);
    }
    for (uint64_t i = 0; i < ts_want_count(&out[0], elements); i++) {
        uint64_t element = ts_want_at(&out[0], i);
        double r = factor * ts_ref_real(&in[0], element);
        out[0].value[element] = r;
        if (out[0].err) {
            double carried = fabs(factor) * ts_ref_carried(&in[0], element);
            out[0].err[element] = ts_budget_error(&budget, r, 1, fabs(r), carried);
        }
    }
    return true;
}
END
}

# ---- files: all are made in a folder of their own first -----------------------------------------

new=$(mktemp -d "${TMPDIR:-/tmp}/touchstone-new-op.XXXXXX")
trap 'rm -rf "$new"' EXIT

stage() { # stage FILE: takes its new text from stdin
    mkdir -p "$new/tree/$(dirname "$1")"
    cat >"$new/tree/$1"
}

# Behind the last line of the family, or at the end as a group of its own. The lines of an operation's
# kernels follow it up to an empty line.
make_table() {
    awk -v op="TS_OP($name, $family, (IN(x) OUT(y)), LINEAR, PLAIN)" -v family="$family" -v name="$name" '
        function put() {
            print ""
            print op
            print "TS_KERNEL(" name ", 1, " name ", NONE, ANY, GRID(CEIL(a->width, 256), a->rows, 1, 256),"
            print "          FLOAT, MUTANTS(0, 0))"
        }
        { text[NR] = $0 }
        /^TS_OP\(/ { ours = index($0, ", " family ",") > 0 }
        /^TS_OP\(/ || /^TS_KERNEL/ { group = 1 }
        /^$/ { group = 0 }
        /^#undef TS_OP/ { end = NR - 1 }
        ours && group { last = NR }
        END {
            if (!last) last = end - 1
            for (i = 1; i <= NR; i++) {
                print text[i]
                if (i == last) put()
            }
        }' kernels/ops.def | stage kernels/ops.def
}

make_header() {
    local file=kernels/$family.h guard
    if [ $is_new = no ]; then
        args_struct >"$new/struct"
        awk -v part="$new/struct" '
            { text[NR] = $0 }
            /^#endif/ { last = NR }
            END {
                for (i = 1; i <= NR; i++) {
                    if (i == last) {
                        while ((getline line < part) > 0) print line
                        print ""
                    }
                    print text[i]
                }
            }' "$file" | stage "$file"
        return
    fi
    guard=TS_KERNELS_$(echo "$family" | tr '[:lower:]' '[:upper:]')_H
    {
        printf '/* Operations of the family %s. */\n' "$family"
        printf '#ifndef %s\n#define %s\n\n#include "kernels/abi.h"\n\n' "$guard" "$guard"
        args_struct
        printf '\n#endif\n'
    } | stage "$file"
}

make_source() { # make_source FILE FIRST-LINE PART: appends, or begins a new file
    {
        if [ $is_new = no ]; then cat "$1"; else printf '%s\n' "$2"; fi
        echo
        "$3"
    } | stage "$1"
}

# The includes of families stand in the order of the alphabet.
make_include() {
    awk -v line="#include \"kernels/$family.h\"" '
        /^#include "kernels\/[a-z0-9_]*\.h"/ {
            if (!done && $0 > line) { print line; done = 1 }
            inside = 1
        }
        !/^#include "kernels/ && inside && !done { print line; done = 1 }
        { print }' kernels/ops.h | stage kernels/ops.h
}

make_kernel() {
    local file=kernels/$family.metal
    {
        if [ -f "$file" ]; then
            cat "$file"
        else
            printf '#include "kernels/shader.h"\n\n#include "kernels/%s.h"\n' "$family"
        fi
        echo
        kernel_side
    } | stage "$file"
}

# ---- main --------------------------------------------------------------------------------------

[ $# -le 2 ] || refuse "takes a name and a family" "make new-op NAME=value_norm FAMILY=norm"
check_word name "$name"
check_word family "$family"
check_name
check_family
make_table
make_header
make_source "kernels/$family.c" '#include "kernels/ops.h"' host_side
make_source "reference/$family.c" '#include "reference/budget.h"' reference
[ $is_new = no ] || make_include
make_kernel

staged=$(cd "$new/tree" && find . -type f | sed 's|^\./||' | sort)
for file in $staged; do
    if ! { [ ! -e "$file" ] || [ -w "$file" ]; } || [ ! -w "$(dirname "$file")" ]; then
        echo "touchstone: new-op: cannot write $file" >&2
        exit 4
    fi
done
report= # said when all is written: whoever reads it may go away before
for file in $staged; do
    [ -e "$file" ] && verb=changed || verb=new
    cat "$new/tree/$file" >"$file" # keeps its mode
    report+=$(printf '  %-8s %-28s %4d lines' "$verb" "$file" $(($(wc -l <"$file"))))$'\n'
done

next() { printf '  %-26s %s\n' "$1" "$2"; }
printf '%s\n%s is in the table, as y = factor * x. What is left to do:\n' "$report" "$name"
next kernels/ops.def 'its operands, LINEAR or CURVED, its place in the pass'
next "kernels/$family.h" 'what it computes, shapes, source of the formula; its arguments'
next "kernels/$family.c" 'extent: elements of each operand; work: flops, elements touched;'
next '' 'cases: smallest, sizes that are multiples of nothing, those of the model'
next '' 'sizes: TS_COUNTS, what is beyond 8, 16 and 32 bits'
next "kernels/$family.metal" 'the kernel, and at least three planted bugs (MUTANTS of its line)'
next "reference/$family.c" 'the value in float64, and the error budget of each element'
next 'tests/reference_*_test.c' "value and budget, beside the family's others"
next 'engine/graph/*.c' 'where the pass uses it'
echo 'CONTRIBUTING.md has the rules. Try: make test FILTER=expansion, and'
echo "build/touchstone check --filter $name"
