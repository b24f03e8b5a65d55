// Tokens of preprocessed MSL, with the file and line that each came from. For the pre-pass and for the
// lint.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace softmetal
{

struct token {
    enum kind_type { word, number, text, punctuation } kind;
    size_t begin, end; // in source::text
    int file;          // in source::files
    int line;
};

struct source_file {
    std::string name;    // empty: before the first line marker
    bool system = false; // not the project's own
};

struct include {
    int file, line; // where the directive stands
    std::string name;
};

struct source {
    std::string text;
    std::vector<source_file> files;
    std::vector<token> tokens;
    std::vector<include> includes;

    // A token past the end is empty and stands nowhere: broken sources need no checks elsewhere.
    const token &tok(size_t i) const
    {
        static const token none = {token::punctuation, 0, 0, 0, 0};
        return i < tokens.size() ? tokens[i] : none;
    }
    std::string file_of(const token &t) const
    {
        const std::string &name = files[static_cast<size_t>(t.file)].name;
        return name.empty() ? "?" : name;
    }
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

// Lexes the output of a preprocessor: line markers set file and line, other directives are skipped.
// Comments and continued lines are understood too, so that text that was never preprocessed gives
// the same tokens.
source lex(std::string text);

// The index after the bracket that matches the one at i; `limit` if there is none.
size_t skip_brackets(const source &s, size_t i, size_t limit);

} // namespace softmetal
