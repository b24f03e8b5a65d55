// Tokens of preprocessed MSL, with the file and line that each came from.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace softmetal
{

struct token {
    enum kind_type { word, number, text, punctuation } kind;
    size_t begin, end; // in the source
    int file;          // in source::files
    int line;
};

struct source {
    std::string text;
    std::vector<std::string> files;
    std::vector<token> tokens;

    // A token past the end is empty and stands nowhere: broken sources need no checks elsewhere.
    const token &tok(size_t i) const
    {
        static const token none = {token::punctuation, 0, 0, -1, 0};
        return i < tokens.size() ? tokens[i] : none;
    }
    std::string file_of(const token &t) const
    {
        return t.file < 0 ? "?" : files[static_cast<size_t>(t.file)];
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
};

// Lexes the output of a preprocessor: line markers set file and line, other directives are skipped.
source lex(std::string text);

} // namespace softmetal
