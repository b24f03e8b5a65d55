// A pointer or reference must name the address space that it points into.
#include "lint/rules.h"

#include <algorithm>

namespace metal_lint
{
namespace
{

bool is_star(std::string_view t)
{
    return t == "*" || t == "&" || t == "&&";
}

bool is_specifier(std::string_view t)
{
    static const char *const names[] = {"const",    "volatile", "static", "constexpr", "inline",
                                        "extern",   "struct",   "class",  "union",     "enum",
                                        "typename", "unsigned", "signed", "restrict",  "__restrict"};
    for (const char *n : names) {
        if (t == n) {
            return true;
        }
    }
    return is_address_space(t);
}

// Words that end a type, going back, as an operator would.
bool is_no_type(std::string_view t)
{
    static const char *const names[] = {"return", "case",   "else", "sizeof", "goto",   "new",
                                        "delete", "throw",  "do",   "if",     "while",  "for",
                                        "switch", "alignof", "not",  "and",    "or",     "operator"};
    for (const char *n : names) {
        if (t == n) {
            return true;
        }
    }
    return false;
}

// The tokens of a type before one of its stars.
struct type_run {
    size_t begin = 0;     // its first token
    size_t types = 0;     // words that name a type
    bool spaced = false;  // an address space is named
    bool deduced = false; // auto, decltype, or an alias that carries an address space
    bool broken = false;  // what stands there is no type
};

type_run read_back(const context &c, size_t star)
{
    const scan &s = c.s;
    type_run run;
    run.begin = star;
    while (run.begin > 0) {
        size_t k = run.begin - 1;
        std::string_view t = s.at(k);
        if (t == ">") {
            size_t open = opening_of(s, k);
            if (open == k || open == 0 || s.is(open - 1, "template")) {
                break;
            }
            run.begin = open;
            continue;
        }
        if (t == ")" && opening_of(s, k) > 0 && s.is(opening_of(s, k) - 1, "decltype")) {
            run.begin = opening_of(s, k) - 1;
            run.deduced = true;
            run.types++;
            continue;
        }
        if (t != "::" && !s.word(k)) {
            break;
        }
        if (is_no_type(t)) {
            run.broken = true;
            break;
        }
        run.spaced = run.spaced || is_address_space(t);
        run.deduced = run.deduced || t == "auto" || c.r.qualified.count(std::string(t)) > 0;
        run.types += t != "::" && !is_specifier(t) && !s.is(k + 1, "::");
        bool builtin = t == "unsigned" || t == "signed";
        run.types += builtin && run.types == 0;
        run.begin = k;
    }
    return run;
}

// What a name is declared to be can only be followed by one of these.
bool ends_declarator(std::string_view t)
{
    return t == "=" || t == ";" || t == "," || t == ")" || t == "[" || t == "(" || t == "{" ||
           t == ":";
}

struct pointers {
    explicit pointers(const context &c) : c(c), s(c.s)
    {
    }

    void at(size_t star)
    {
        type_run run = read_back(c, star);
        if (run.spaced) {
            return;
        }
        // `T **p`: each star needs its own; the type stands before the first.
        while (run.types == 0 && !run.broken && run.begin > 0 && is_star(s.at(run.begin - 1))) {
            run = read_back(c, run.begin - 1);
        }
        // Without a type it is `*p`, or a further declarator of a type already read.
        if (run.types > 0 && !run.deduced && !run.broken && declares(star, run)) {
            c.report(star, "pointer",
                     std::string(s.is(star, "*") ? "a pointer" : "a reference") +
                         " must name its address space: device, constant, threadgroup or thread");
        }
    }

  private:
    const context &c;
    const scan &s;

    // Whether the star, with a type before it, can be nothing but a declarator.
    bool declares(size_t star, const type_run &run) const
    {
        size_t next = star + 1;
        while (is_star(s.at(next)) || s.is(next, "const") || s.is(next, "restrict") ||
               s.is(next, "__restrict") || is_address_space(s.at(next))) {
            next++;
        }
        if (s.is(next, ")") || s.is(next, ",") || s.is(next, ">") || s.is(next, "...")) {
            return !in_operator_name(star);
        }
        if (s.is(next, "operator")) {
            return true;
        }
        if (!s.word(next)) {
            return false;
        }
        size_t after = next + 1;
        while (s.is(after, "::") && s.word(after + 1)) { // a member defined outside of its class
            after += 2;
        }
        if (at_attribute(s, after)) {
            return starts_declaration(run.begin, after);
        }
        return (ends_declarator(s.at(after)) || s.is(after, "<")) && starts_declaration(run.begin, after);
    }

    bool in_operator_name(size_t star) const
    {
        return star > 0 && s.is(star - 1, "operator");
    }

    // The bracket around i; SIZE_MAX if there is none.
    size_t enclosing(size_t i) const
    {
        for (size_t k = i; k-- > 0;) {
            std::string_view t = s.at(k);
            if (t == ")" || t == "]" || t == "}") {
                k = opening_of(s, k);
            } else if (t == "(" || t == "[" || t == "{") {
                return k;
            }
        }
        return SIZE_MAX;
    }

    // Whether a declaration can begin at i, `after` being what follows the declared name.
    bool starts_declaration(size_t i, size_t after) const
    {
        if (i == 0) {
            return true;
        }
        std::string_view before = s.at(i - 1);
        if (before == ";") {
            size_t open = enclosing(i);
            return open == SIZE_MAX || !s.is(open, "("); // not in the head of a loop
        }
        if (before == "{" || before == "}") {
            return !in_initialiser(i - 1);
        }
        if (before == ">") {
            size_t open = opening_of(s, i - 1);
            return open != i - 1 && open > 0 && s.is(open - 1, "template");
        }
        if (before == "]") {
            return at_attribute(s, opening_of(s, i - 1));
        }
        if (before == ":" && i > 1) {
            return s.is(i - 2, "public") || s.is(i - 2, "private") || s.is(i - 2, "protected");
        }
        if (before == "(" || before == ",") {
            size_t open = enclosing(i);
            bool loop = before == "(" && i > 1 && (s.is(i - 2, "for") || s.is(i - 2, "if"));
            return (loop && (s.is(after, "=") || s.is(after, ":"))) || c.r.parameter_opens.count(open) > 0;
        }
        return false;
    }

    // `{a * b}` holds no declaration, unlike a body.
    bool in_initialiser(size_t brace) const
    {
        if (!s.is(brace, "{") || brace == 0) {
            return false;
        }
        std::string_view before = s.at(brace - 1);
        return before == "=" || before == "," || before == "(" || before == "return" ||
               before == "{";
    }
};

} // namespace

void check_pointers(const context &c)
{
    pointers p(c);
    for (size_t i = 1; i < c.s.tokens.size(); i++) {
        if (c.s.tokens[i].kind == token::punctuation && is_star(c.s.at(i)) && c.ours(i)) {
            p.at(i);
        }
    }
}

} // namespace metal_lint
