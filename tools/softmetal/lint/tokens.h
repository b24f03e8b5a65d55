// The tokens of Metal code (front/lexer.h), and walking over them as rules do.
#pragma once

#include "front/lexer.h"

namespace metal_lint
{

using scan = softmetal::source;
using softmetal::include;
using softmetal::lex;
using softmetal::skip_brackets;
using softmetal::source_file;
using softmetal::token;

// The index after the `>` that matches the `<` at i; i if what follows is no list of arguments.
size_t skip_angles(const scan &s, size_t i, size_t limit);

// The index of the bracket that matches the closing one at i; for `>` too. i if there is none.
size_t opening_of(const scan &s, size_t i);

} // namespace metal_lint
