#!/usr/bin/env bash
# Prints the header that says what was built: version.sh VERSION "COMPILER AND FLAGS"
set -euo pipefail
cd "$(dirname "$0")/.."

# The commit is this folder's own, not that of a repository it was unpacked into. No optional
# locks: a build must not get in the way of a commit.
commit=
if [ -e .git ]; then
    commit=$(git --no-optional-locks rev-parse --short=12 HEAD 2>/dev/null || true)
    if [ -n "$commit" ] && ! git --no-optional-locks diff --quiet HEAD -- 2>/dev/null; then
        commit=$commit.dirty
    fi
fi
flags=$(printf '%s' "$2" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g')

echo "#define TS_VERSION \"$1${commit:++$commit}\""
echo "#define TS_COMMIT \"${commit:-unknown}\""
echo "#define TS_BUILD_FLAGS \"$flags\""
