#include "front/lexer.h"

#include <cctype>
#include <cstdlib>

namespace softmetal
{
namespace
{

bool word_char(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$';
}

struct lexer {
    explicit lexer(source &s) : s(s)
    {
    }

    void run()
    {
        bool line_start = true;
        while (at < s.text.size()) {
            char c = s.text[at];
            if (c == '\n') {
                line++;
                at++;
                line_start = true;
            } else if (std::isspace(static_cast<unsigned char>(c))) {
                at++;
            } else if (c == '#' && line_start) {
                directive();
            } else {
                line_start = false;
                one();
            }
        }
    }

  private:
    source &s;
    size_t at = 0;
    int line = 1;
    int file = -1;

    // `# 12 "name" flags` says that the next line is line 12 of that file.
    void directive()
    {
        size_t end = s.text.find('\n', at);
        end = end == std::string::npos ? s.text.size() : end;
        std::string text = s.text.substr(at, end - at);
        size_t quote = text.find('"'), last = text.rfind('"');
        size_t digit = text.find_first_not_of("# ");
        if (digit != std::string::npos && std::isdigit(static_cast<unsigned char>(text[digit]))) {
            line = std::atoi(text.c_str() + digit) - 1;
            if (quote != std::string::npos && last > quote) {
                file = index_of(text.substr(quote + 1, last - quote - 1));
            }
        }
        at = end;
    }

    int index_of(const std::string &name)
    {
        for (size_t i = 0; i < s.files.size(); i++) {
            if (s.files[i] == name) {
                return static_cast<int>(i);
            }
        }
        s.files.push_back(name);
        return static_cast<int>(s.files.size()) - 1;
    }

    char peek(size_t ahead) const
    {
        return at + ahead < s.text.size() ? s.text[at + ahead] : '\0';
    }

    void one()
    {
        char c = s.text[at];
        if (std::isdigit(static_cast<unsigned char>(c)) ||
            (c == '.' && std::isdigit(static_cast<unsigned char>(peek(1))))) {
            size_t end = at + 1;
            while (end < s.text.size() &&
                   (word_char(s.text[end]) || s.text[end] == '.' || s.text[end] == '\'' ||
                    ((s.text[end] == '+' || s.text[end] == '-') && exponent(end)))) {
                end++;
            }
            push(token::number, end);
        } else if (word_char(c)) {
            size_t end = at;
            while (end < s.text.size() && word_char(s.text[end])) {
                end++;
            }
            push(token::word, end);
        } else if (c == '"' || c == '\'') {
            size_t end = at + 1;
            while (end < s.text.size() && s.text[end] != c) {
                end += s.text[end] == '\\' ? 2 : 1;
            }
            push(token::text, end < s.text.size() ? end + 1 : s.text.size());
        } else {
            bool two = (c == ':' && peek(1) == ':') || (c == '-' && peek(1) == '>');
            push(token::punctuation, at + (two ? 2 : 1));
        }
    }

    // Whether the sign at `i` belongs to a number: 1e-5, 0x1p+3, but not 0xe+1.
    bool exponent(size_t i) const
    {
        char before = s.text[i - 1];
        bool hex = s.text[at] == '0' && (peek(1) == 'x' || peek(1) == 'X');
        return hex ? before == 'p' || before == 'P' : before == 'e' || before == 'E';
    }

    void push(token::kind_type kind, size_t end)
    {
        s.tokens.push_back({kind, at, end, file, line});
        at = end;
    }
};

} // namespace

source lex(std::string text)
{
    source s;
    s.text = std::move(text);
    lexer(s).run();
    return s;
}

} // namespace softmetal
