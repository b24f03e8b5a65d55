// Tokens of preprocessed Metal code, for rules: with the file and line that each came from, the
// files that are a system's, and what was included from where.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace metal_lint
{

struct token {
    enum kind_type { word, number, text, punctuation } kind;
    size_t begin, end; // in scan::text
    int file;          // in scan::files
    int line;
};

struct source_file {
    std::string name;
    bool system = false; // not the project's own
};

struct include {
    int file, line; // where the directive stands
    std::string name;
};

struct scan {
    std::string text;
    std::vector<source_file> files;
    std::vector<token> tokens;
    std::vector<include> includes;

    std::string_view at(size_t i) const
    {
        return i < tokens.size()
                   ? std::string_view(text).substr(tokens[i].begin, tokens[i].end - tokens[i].begin)
                   : std::string_view();
    }
    bool is(size_t i, std::string_view what) const
    {
        return at(i) == what;
    }
    bool word(size_t i) const
    {
        return i < tokens.size() && tokens[i].kind == token::word;
    }
};

// Lexes the output of a preprocessor; its line markers set file and line. Comments and continued
// lines are understood too, so that text that was never preprocessed gives the same tokens.
scan lex(std::string text);

// The index after the bracket that matches the one at i; `limit` if there is none.
size_t skip_brackets(const scan &s, size_t i, size_t limit);

// The index after the `>` that matches the `<` at i; i if what follows is no list of arguments.
size_t skip_angles(const scan &s, size_t i, size_t limit);

// The index of the bracket that matches the closing one at i; for `>` too. i if there is none.
size_t opening_of(const scan &s, size_t i);

} // namespace metal_lint
