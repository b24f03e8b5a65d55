#!/usr/bin/env bash
# Finds out which packages are missing, and installs them.
#   setup.sh               install what building, testing and the report need
#   setup.sh --check       install nothing; fail with one line that names what is missing
#   setup.sh --check-build the same, for what compiling needs
#   setup.sh --fuzz        the same, for what fuzzing needs: $CC with libFuzzer
#   setup.sh --coverage    the same, for what the coverage of kernels needs: LLVM 19's tools
# Looks for what the packages provide, not for packages, so that your own builds count. Quiet and
# quick when nothing is missing. Debian and its children by apt; macOS by Homebrew (untested).
# Environment: CC, PKG_CONFIG, SETUP=0 (means --check); SOFTMETAL=1 (default): also what the software
# Metal device needs, on Linux. Exit 4: something is missing.
set -euo pipefail

cc=${CC:-cc}
pkg_config=${PKG_CONFIG:-pkg-config}
system=$(uname -s)
mode=${1:---install}
if [ "$mode" = --install ] && [ "${SETUP:-1}" = 0 ]; then
    mode=--check
fi
case $mode in
--install | --check | --check-build | --fuzz | --coverage) ;;
*)
    echo "usage: tools/setup.sh [--install|--check|--check-build|--fuzz|--coverage]" >&2
    exit 2
    ;;
esac

apt=
brew=
reasons=
need() { # need APT_NAME BREW_NAME REASON: notes a missing package; "-" is none
    local name=$1
    [ "$system" != Darwin ] || name=$2
    [ "$1" = - ] || apt="$apt $1"
    [ "$2" = - ] || brew="$brew $2"
    [ "$name" = - ] || reasons="$reasons$(printf '  %-20s %s' "$name" "$3")
"
}

have_program() { command -v "$1" >/dev/null 2>&1; }

# $cc and $pkg_config may carry arguments, as in CC="ccache gcc". Without a compiler, look for files.
# shellcheck disable=SC2086
has_header() {
    local folder include=
    if ! have_program "${cc%% *}"; then
        for folder in /usr/include /usr/local/include /opt/homebrew/include; do
            [ ! -f "$folder/$1" ] || return 0
        done
        return 1
    fi
    if [ "$system" = Darwin ]; then
        include="-I$(brew --prefix 2>/dev/null || echo /usr/local)/include"
    fi
    printf '#include <%s>\n' "$1" | $cc $include -DPCRE2_CODE_UNIT_WIDTH=8 -E -x c - >/dev/null 2>&1
}

# Without a pkg-config that runs, the header alone must tell.
has_pkg_config=no
have_library() { # have_library MODULE HEADER
    if [ $has_pkg_config = yes ]; then
        # shellcheck disable=SC2086
        $pkg_config --exists "$1" 2>/dev/null
    else
        has_header "$2"
    fi
}

find_missing() {
    apt=
    brew=
    reasons=
    has_pkg_config=no
    if ! have_program "${cc%% *}"; then
        case $cc in
        *clang*) need clang llvm 'the C compiler' ;;
        *) need gcc gcc 'the C compiler' ;;
        esac
    fi
    if [ "$system" != Darwin ]; then
        has_header stdio.h || need libc6-dev - 'headers of the C library'
    fi
    # shellcheck disable=SC2086
    if [ -n "$($pkg_config --version 2>/dev/null || true)" ]; then
        has_pkg_config=yes
    else
        need pkg-config pkg-config 'where libraries are, for the build'
    fi
    have_library criterion criterion/criterion.h || need libcriterion-dev criterion 'runs the tests'
    have_library libcjson cjson/cJSON.h || need libcjson-dev cjson 'reads and writes JSON records'
    have_library libpcre2-8 pcre2.h || need libpcre2-dev pcre2 'splits text for the tokenizer'
    have_library libxxhash xxhash.h || need libxxhash-dev xxhash 'hashes of models'
    has_header uthash.h || need uthash-dev uthash 'hash tables'
    if [ "$system" != Darwin ] && [ "${SOFTMETAL-1}" = 1 ]; then
        have_program clang-19 || need clang-19 - 'compiles Metal kernels for the software Metal device'
        [ -n "$(find /usr/lib/gcc -name libobjc.so 2>/dev/null | head -n 1)" ] ||
            need libobjc-12-dev - 'Objective-C, for the Metal device'
        [ -d /usr/include/GNUstep ] || need libgnustep-base-dev - \
                'Foundation, for the Metal device on Linux (most of the download)'
    fi
    if [ "$mode" != --check-build ]; then
        have_program gnuplot || need gnuplot-nox gnuplot 'draws the charts of make bench'
        # gnuplot's PNG output finds no letters on a bare Debian.
        if [ "$system" != Darwin ] && [ ! -d /usr/share/fonts/truetype/dejavu ]; then
            need fonts-dejavu-core - 'letters in the charts'
        fi
    fi
    [ -z "$apt$brew" ]
}

fail_missing() {
    printf 'touchstone: missing packages: apt-get install --no-install-recommends%s (macOS: ' \
        "$apt" >&2
    printf 'brew install%s)\n' "${brew:- gcc}" >&2
    exit 4
}

# A clang may come without the run-time libraries of its sanitizers, as on macOS and Debian.
check_fuzzer() {
    local scratch
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/touchstone-setup.XXXXXX")
    echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long size);
        int LLVMFuzzerTestOneInput(const char *data, unsigned long size) {
            return size > 1 && data[0] == data[1] ? 0 : 0; }' >"$scratch/empty.c"
    # shellcheck disable=SC2086
    if $cc -fsanitize=fuzzer,address,undefined "$scratch/empty.c" -o "$scratch/empty" \
        >/dev/null 2>&1; then
        rm -rf "$scratch"
        return 0
    fi
    rm -rf "$scratch"
    echo "touchstone: '$cc' cannot build fuzz targets: apt-get install clang libclang-rt-14-dev" \
        "(macOS: brew install llvm, and FUZZ_CC=\$(brew --prefix llvm)/bin/clang)" >&2
    exit 4
}

# llvm-cov and llvm-profdata of the kernels' compiler, and its profile runtime.
check_coverage() {
    local scratch
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/touchstone-setup.XXXXXX")
    echo 'int main(void) { return 0; }' >"$scratch/empty.c"
    if have_program llvm-cov-19 && have_program llvm-profdata-19 &&
        clang-19 -fprofile-instr-generate "$scratch/empty.c" -o "$scratch/empty" >/dev/null 2>&1; then
        rm -rf "$scratch"
        return 0
    fi
    rm -rf "$scratch"
    echo "touchstone: the coverage of kernels needs: apt-get install clang-19 llvm-19" \
        "libclang-rt-19-dev (only with the software Metal device)" >&2
    exit 4
}

install_apt() {
    local sudo=
    if [ "$(id -u)" != 0 ]; then
        if ! have_program sudo; then
            echo "touchstone: not root and no sudo: cannot install$apt" >&2
            exit 4
        fi
        sudo="sudo"
    fi
    tell_packages "with apt-get, and what they need"
    log=$(mktemp "${TMPDIR:-/tmp}/touchstone-setup.XXXXXX")
    trap 'rm -f "$log"' EXIT
    # shellcheck disable=SC2086
    { $sudo apt-get update -q &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
            --no-install-recommends $apt; } </dev/null >"$log" 2>&1 &
    if ! show_apt $!; then
        cat "$log" >&2
        echo "touchstone: apt-get could not install$apt (its message is above)" >&2
        exit 4
    fi
}

tell_packages() {
    echo "touchstone: installing missing packages $1:"
    printf '%s' "$reasons"
}

# Waits for apt-get and says how far it is by its log: on a terminal in a line that is written again,
# else every ten seconds. Returns apt-get's exit code.
show_apt() {
    local steps done_already total seconds=0 line='' terminal=no code=0
    [ ! -t 2 ] || terminal=yes
    while kill -0 "$1" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        total=$(sed -n 's/.* \([0-9][0-9]*\) newly installed.*/\1/p' "$log" | tail -n 1)
        done_already=$(grep -c '^Setting up ' "$log" || true)
        line="  ${seconds} s: reading lists of packages"
        if [ -n "$total" ] && [ "$done_already" -gt 0 ]; then
            line="  ${seconds} s: $done_already of $total packages set up"
        elif [ -n "$total" ]; then
            steps=$(grep -cE '^(Get:|Unpacking )' "$log" || true)
            line="  ${seconds} s: loading and unpacking $total packages, step $steps of $((2 * total))"
        fi
        if [ $terminal = yes ]; then
            printf '\r%-76s' "$line" >&2
        elif [ $((seconds % 10)) = 0 ]; then
            echo "$line" >&2
        fi
    done
    [ $terminal = no ] || printf '\r%76s\r' '' >&2
    wait "$1" || code=$?
    return $code
}

install_brew() {
    tell_packages "with Homebrew"
    # shellcheck disable=SC2086
    if ! brew install $brew; then
        echo "touchstone: brew could not install$brew (its message is above)" >&2
        exit 4
    fi
}

if [ "$mode" = --fuzz ]; then
    check_fuzzer
    exit 0
fi
if [ "$mode" = --coverage ]; then
    check_coverage
    exit 0
fi
if find_missing; then
    exit 0
fi
if [ "$mode" = --install ]; then
    if [ "$system" = Darwin ] && have_program brew; then
        install_brew
    elif have_program apt-get; then
        install_apt
    else
        fail_missing
    fi
    hash -r
    if find_missing; then
        exit 0
    fi
fi
fail_missing
