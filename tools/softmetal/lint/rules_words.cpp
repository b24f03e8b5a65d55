// Rules that need no more than the tokens around a word.
#include "lint/rules.h"

#include <cstring>

namespace metal_lint
{

bool context::ours(size_t i) const
{
    return i < s.tokens.size() && !s.files[static_cast<size_t>(s.tokens[i].file)].system;
}

void context::report(size_t i, const char *rule, const std::string &message) const
{
    if (ours(i)) {
        const token &t = s.tokens[i];
        findings.push_back({s.files[static_cast<size_t>(t.file)].name, t.line, rule, message});
    }
}

namespace
{

struct banned {
    const char *word, *rule, *message;
};

const banned words[] = {
    {"virtual", "virtual", "Metal has no virtual functions"},
    {"goto", "goto", "Metal has no goto"},
    {"thread_local", "thread-local", "Metal has no thread_local"},
    {"double", "double", "Metal has no double: use float"},
    {"throw", "exception", "Metal has no exceptions: throw"},
    {"try", "exception", "Metal has no exceptions: try"},
    {"catch", "exception", "Metal has no exceptions: catch"},
    {"typeid", "type-information", "Metal has no typeid"},
    {"dynamic_cast", "type-information", "Metal has no dynamic_cast"},
};

// `new` and `delete` as operators; `= delete` is no such thing.
void check_allocation(const context &c, size_t i)
{
    std::string_view w = c.s.at(i);
    if ((w == "new" || w == "delete") && !c.s.is(i - 1, "=")) {
        c.report(i, "allocation", "Metal has no " + std::string(w));
    } else if (w == "new") {
        c.report(i, "allocation", "Metal has no new");
    }
}

// Whether an expression can begin after the token at i.
bool before_expression(const scan &s, size_t i)
{
    if (s.tokens[i].kind == token::punctuation) {
        return !s.is(i, ")") && !s.is(i, "]");
    }
    return s.is(i, "return") || s.is(i, "case") || s.is(i, "else");
}

// `[captures]` where an expression begins, followed by parameters or a body.
void check_lambda(const context &c, size_t i)
{
    const scan &s = c.s;
    if (i == 0 || !s.is(i, "[") || at_attribute(s, i) || at_attribute(s, i - 1) ||
        !before_expression(s, i - 1)) {
        return;
    }
    size_t after = skip_brackets(s, i, s.tokens.size());
    if (s.is(after, "(") || s.is(after, "{") || s.is(after, "mutable")) {
        c.report(i, "lambda", "Metal 3.1 has no lambda expressions");
    }
}

bool is_fast_name(std::string_view w)
{
    static const char *const names[] = {"sin", "cos", "tan", "sincos", "pow", "powr"};
    for (const char *n : names) {
        if (w == n) {
            return true;
        }
    }
    return false;
}

// Whether every argument of the call is made of literals alone.
bool literal_arguments(const scan &s, size_t open)
{
    size_t close = skip_brackets(s, open, s.tokens.size()) - 1;
    for (size_t k = open + 1; k < close; k++) {
        if (s.tokens[k].kind == token::word) {
            return false;
        }
    }
    return true;
}

// A call to the library's function: unqualified, or by the names of the library's namespaces.
bool is_library_call(const context &c, size_t i)
{
    const scan &s = c.s;
    if (i == 0 || s.is(i - 1, ".") || s.is(i - 1, "->")) {
        return false;
    }
    if (s.is(i - 1, "::")) {
        return i < 2 || s.is(i - 2, "metal") || s.is(i - 2, "fast") || !s.word(i - 2);
    }
    for (const function &f : c.r.functions) {
        if (!f.member && f.name == s.at(i)) {
            return false; // the project's own, and its body is checked
        }
    }
    bool declared = s.word(i - 1) && !before_expression(s, i - 1);
    return !declared && c.r.in_function[i];
}

} // namespace

void check_words(const context &c)
{
    for (size_t i = 0; i < c.s.tokens.size(); i++) {
        if (c.s.word(i)) {
            for (const banned &b : words) {
                if (c.s.is(i, b.word)) {
                    c.report(i, b.rule, b.message);
                }
            }
            check_allocation(c, i);
        } else {
            check_lambda(c, i);
        }
    }
}

void check_headers(const context &c)
{
    for (const include &in : c.s.includes) {
        const source_file &from = c.s.files[static_cast<size_t>(in.file)];
        if (!from.system && in.name.compare(0, std::strlen(standard_folder), standard_folder) == 0) {
            c.findings.push_back({from.name, in.line, "standard-header",
                                  "<" + in.name.substr(std::strlen(standard_folder)) +
                                      "> is not there for Metal code"});
        }
    }
}

void check_fast_math(const context &c)
{
    const scan &s = c.s;
    for (size_t i = 1; i < s.tokens.size(); i++) {
        if (s.word(i) && s.is(i + 1, "(") && is_fast_name(s.at(i)) && is_library_call(c, i) &&
            !literal_arguments(s, i + 1)) {
            c.report(i, "fast-math",
                     std::string(s.at(i)) +
                         "() is the fast one, which is wrong for large arguments: use precise::" +
                         std::string(s.at(i)) + "()");
        }
    }
}

} // namespace metal_lint
