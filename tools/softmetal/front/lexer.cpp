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

bool digit(char c)
{
    return std::isdigit(static_cast<unsigned char>(c));
}

struct lexer {
    explicit lexer(source &s) : s(s)
    {
    }

    void run()
    {
        s.files.push_back({"", false});
        bool line_start = true;
        while (at < s.text.size()) {
            char c = s.text[at];
            if (c == '\n') {
                line++;
                at++;
                line_start = true;
            } else if (std::isspace(static_cast<unsigned char>(c))) {
                at++;
            } else if (c == '\\' && peek(1) == '\n') {
                line++;
                at += 2;
            } else if (c == '/' && (peek(1) == '/' || peek(1) == '*')) {
                comment();
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
    int file = 0;

    char peek(size_t ahead) const
    {
        return at + ahead < s.text.size() ? s.text[at + ahead] : '\0';
    }

    void advance_to(size_t end)
    {
        for (; at < end && at < s.text.size(); at++) {
            line += s.text[at] == '\n';
        }
    }

    // The end of the line at `at`, continued lines included.
    size_t line_end() const
    {
        size_t end = at;
        while (end < s.text.size() && (s.text[end] != '\n' || s.text[end - 1] == '\\')) {
            end++;
        }
        return end;
    }

    void comment()
    {
        if (peek(1) == '/') {
            advance_to(line_end());
            return;
        }
        size_t end = s.text.find("*/", at + 2);
        advance_to(end == std::string::npos ? s.text.size() : end + 2);
    }

    // `# 12 "name" flags` says that the next line is line 12 of that file: flag 1 enters it, flag 3
    // says that it is a system's.
    void directive()
    {
        size_t end = line_end();
        std::string text = s.text.substr(at, end - at);
        size_t number = text.find_first_not_of("# \t");
        if (number == std::string::npos || !digit(text[number])) {
            advance_to(end);
            return;
        }
        size_t quote = text.find('"'), last = text.rfind('"');
        if (quote != std::string::npos && last > quote) {
            std::string name = text.substr(quote + 1, last - quote - 1);
            std::string flags = text.substr(last + 1);
            if (flags.find('1') != std::string::npos && !name.empty() && name[0] != '<') {
                s.includes.push_back({file, line, name});
            }
            file = index_of(name, flags.find('3') != std::string::npos || name[0] == '<');
        }
        at = end;
        line = std::atoi(text.c_str() + number) - 1;
    }

    int index_of(const std::string &name, bool system)
    {
        for (size_t i = 0; i < s.files.size(); i++) {
            if (s.files[i].name == name) {
                return static_cast<int>(i);
            }
        }
        s.files.push_back({name, system});
        return static_cast<int>(s.files.size()) - 1;
    }

    void one()
    {
        char c = s.text[at];
        if (digit(c) || (c == '.' && digit(peek(1)))) {
            number();
        } else if (word_char(c)) {
            size_t end = at;
            while (end < s.text.size() && word_char(s.text[end])) {
                end++;
            }
            std::string_view w = std::string_view(s.text).substr(at, end - at);
            if (end < s.text.size() && s.text[end] == '"' && w.back() == 'R' && w.size() <= 3) {
                raw_string(end);
            } else {
                push(token::word, end);
            }
        } else if (c == '"' || c == '\'') {
            size_t end = at + 1;
            while (end < s.text.size() && s.text[end] != c && s.text[end] != '\n') {
                end += s.text[end] == '\\' ? 2 : 1;
            }
            push(token::text, end < s.text.size() ? end + 1 : s.text.size());
        } else {
            bool two = (c == ':' && peek(1) == ':') || (c == '-' && peek(1) == '>') ||
                       (c == '&' && peek(1) == '&') ||
                       ((c == '<' || c == '>' || c == '=' || c == '!') && peek(1) == '=');
            push(token::punctuation, at + (two ? 2 : 1));
        }
    }

    void number()
    {
        size_t end = at + 1;
        bool hex = s.text[at] == '0' && (peek(1) == 'x' || peek(1) == 'X');
        while (end < s.text.size()) {
            char c = s.text[end], before = s.text[end - 1];
            bool sign = (c == '+' || c == '-') &&
                        (hex ? before == 'p' || before == 'P' : before == 'e' || before == 'E');
            if (!word_char(c) && c != '.' && c != '\'' && !sign) {
                break;
            }
            end++;
        }
        push(token::number, end);
    }

    // R"tag( ... )tag": nothing in it is code, and it may go over several lines.
    void raw_string(size_t quote)
    {
        size_t open = s.text.find('(', quote);
        if (open == std::string::npos) {
            push(token::text, quote + 1);
            return;
        }
        std::string close = ")" + s.text.substr(quote + 1, open - quote - 1) + "\"";
        size_t end = s.text.find(close, open);
        push(token::text, end == std::string::npos ? s.text.size() : end + close.size());
    }

    void push(token::kind_type kind, size_t end)
    {
        s.tokens.push_back({kind, at, end, file, line});
        advance_to(end);
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
