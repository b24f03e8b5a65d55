// Variables of the program, function constants as sizes of arrays, and recursion.
#include "lint/rules.h"

#include <algorithm>
#include <map>

namespace metal_lint
{
namespace
{

bool contains(const scan &s, size_t begin, size_t end, std::string_view word)
{
    for (size_t i = begin; i < end; i++) {
        if (s.is(i, word)) {
            return true;
        }
    }
    return false;
}

// Objects that the language lets stand at program scope without an address space.
bool is_sampler(const scan &s, const variable &v)
{
    return contains(s, v.begin, v.name, "sampler");
}

// Names of function constants, and of program-scope constants computed from them.
std::set<std::string> function_constants(const context &c)
{
    const scan &s = c.s;
    std::set<std::string> names;
    size_t before;
    do {
        before = names.size();
        for (const variable &v : c.r.variables) {
            bool constant = contains(s, v.begin, v.end, "function_constant");
            for (size_t i = v.name + 1; i < v.end && !constant; i++) {
                constant = s.word(i) && names.count(std::string(s.at(i))) > 0;
            }
            if (constant && !v.member) {
                names.insert(std::string(s.at(v.name)));
            }
        }
    } while (names.size() != before);
    return names;
}

// Whether `[` at i belongs to a declaration: a type, a name, then its size.
bool declares_array(const scan &s, size_t i)
{
    size_t name = i - 1;
    while (s.is(name, "]")) { // further dimensions
        name = opening_of(s, name) - 1;
    }
    if (!s.word(name) || name == 0) {
        return false;
    }
    size_t type = name - 1;
    if (s.is(type, ">")) {
        size_t open = opening_of(s, type);
        if (open == type || open == 0 || !s.word(open - 1)) {
            return false;
        }
        std::string_view start = open > 1 ? s.at(open - 2) : ";";
        return start == ";" || start == "{" || start == "}" || start == "::" || s.word(open - 2);
    }
    if (s.is(type, ",")) { // `float a[4], b[N]`: look at how the statement begins
        size_t k = type;
        while (k > 0 && !s.is(k, ";") && !s.is(k, "{") && !s.is(k, "}") && !s.is(k, "(")) {
            k = s.is(k, ")") || s.is(k, "]") ? opening_of(s, k) - 1 : k - 1;
        }
        return !s.is(k, "(") && s.word(k + 1) && s.word(k + 2) && !s.is(k + 1, "return");
    }
    static const char *const no_types[] = {"return", "case", "else", "sizeof", "delete", "new"};
    bool operation = std::any_of(std::begin(no_types), std::end(no_types),
                                 [&](const char *n) { return s.is(type, n); });
    return s.word(type) && !operation;
}

void report_size(const context &c, size_t begin, size_t end, const std::set<std::string> &names)
{
    for (size_t k = begin; k < end; k++) {
        if (c.s.word(k) && names.count(std::string(c.s.at(k)))) {
            c.report(k, "array-size",
                     "function constant " + std::string(c.s.at(k)) +
                         " cannot be the size of an array");
            return;
        }
    }
}

void check_array_sizes(const context &c, const std::set<std::string> &names)
{
    const scan &s = c.s;
    for (size_t i = 1; i < s.tokens.size(); i++) {
        if (s.is(i, "[") && !at_attribute(s, i) && !at_attribute(s, i - 1) &&
            declares_array(s, i)) {
            report_size(c, i + 1, skip_brackets(s, i, s.tokens.size()) - 1, names);
        } else if (s.is(i, "array") && s.is(i + 1, "<")) {
            size_t after = skip_angles(s, i + 1, s.tokens.size());
            report_size(c, i + 2, std::max(after, i + 2) - 1, names);
        }
    }
}

} // namespace

void check_variables(const context &c)
{
    const scan &s = c.s;
    for (const variable &v : c.r.variables) {
        bool wanted = !v.member || contains(s, v.begin, v.name, "static");
        if (wanted && !contains(s, v.begin, v.name, "constant") && !is_sampler(s, v)) {
            c.report(v.name, "program-scope",
                     std::string(s.at(v.name)) +
                         " must be in the constant address space, as every program-scope variable");
        }
    }
    for (size_t i = 0; i < s.tokens.size(); i++) {
        if (c.r.in_function[i] && s.is(i, "static")) {
            size_t end = i;
            while (end < s.tokens.size() && !s.is(end, ";") && !s.is(end, "=")) {
                end++;
            }
            if (!contains(s, i, end, "constant") && !contains(s, i > 2 ? i - 2 : 0, i, "constant")) {
                c.report(i, "program-scope",
                         "a static variable must be in the constant address space");
            }
        }
    }
    std::set<std::string> names = function_constants(c);
    if (!names.empty()) {
        check_array_sizes(c, names);
    }
}

namespace
{

// Names that MSL's library has overloads of: a call from the project's own overload goes there.
bool is_library_name(const std::string &name)
{
    static const std::set<std::string> names = {
        "abs",   "acos",  "all",   "any",   "asin",  "atan",   "atan2",     "ceil",   "clamp",
        "cos",   "cosh",  "cross", "dot",   "exp",   "exp2",   "exp10",     "fabs",   "floor",
        "fma",   "fmax",  "fmin",  "fmod",  "fract", "isnan",  "isinf",     "isfinite", "ldexp",
        "length", "log",  "log2",  "log10", "max",   "min",    "mix",       "modf",   "normalize",
        "pow",   "powr",  "rint",  "round", "rsqrt", "select", "sign",      "signbit", "sin",
        "sinh",  "sqrt",  "step",  "swap",  "tan",   "tanh",   "trunc",     "copysign", "saturate"};
    return names.count(name) || name.compare(0, 5, "simd_") == 0 ||
           name.compare(0, 5, "quad_") == 0 || name.compare(0, 7, "atomic_") == 0;
}

// Calls between functions that have bodies. A call that several overloads could take, or with
// explicit template arguments, is no edge: both are how a compile-time recursion looks.
struct calls {
    explicit calls(const context &c) : c(c), s(c.s)
    {
        for (size_t i = 0; i < c.r.functions.size(); i++) {
            if (c.r.functions[i].body && !is_library_name(c.r.functions[i].name)) {
                by_name[c.r.functions[i].name].push_back(i);
            }
        }
        edges.resize(c.r.functions.size());
        for (size_t i = 0; i < c.r.functions.size(); i++) {
            read_body(i);
        }
    }

    void report() const
    {
        for (size_t f = 0; f < edges.size(); f++) {
            for (const edge &e : edges[f]) {
                if (reaches(e.to, f)) {
                    c.report(e.at, "recursion",
                             c.r.functions[f].name + (e.to == f ? " calls itself"
                                                                : " calls itself by way of " +
                                                                      c.r.functions[e.to].name));
                }
            }
        }
    }

  private:
    struct edge {
        size_t to, at;
    };
    const context &c;
    const scan &s;
    std::map<std::string, std::vector<size_t>> by_name;
    std::vector<std::vector<edge>> edges;

    void read_body(size_t f)
    {
        const function &from = c.r.functions[f];
        for (size_t i = from.body + 1; from.body && i < from.end; i++) {
            if (!s.word(i) || !s.is(i + 1, "(") || declared(i)) {
                continue;
            }
            auto found = by_name.find(std::string(s.at(i)));
            if (found == by_name.end() || of_library(i)) {
                continue;
            }
            bool dotted = s.is(i - 1, ".") || s.is(i - 1, "->");
            size_t n = count_arguments(s, i + 1), callee = SIZE_MAX, matches = 0;
            for (size_t k : found->second) {
                const function &to = c.r.functions[k];
                bool possible = n >= to.required && n <= to.parameters &&
                                (dotted ? to.member : !to.member || from.member);
                callee = possible ? k : callee;
                matches += possible;
            }
            if (matches == 1) {
                edges[f].push_back({callee, i});
            }
        }
    }

    bool of_library(size_t i) const
    {
        return s.is(i - 1, "::") && (s.is(i - 2, "metal") || s.is(i - 2, "fast") ||
                                     s.is(i - 2, "precise") || s.is(i - 2, "simd"));
    }

    // `float4 f(1)` declares a variable that has the name of a function.
    bool declared(size_t i) const
    {
        return s.word(i - 1) && !s.is(i - 1, "return") && !s.is(i - 1, "else") &&
               !s.is(i - 1, "do");
    }

    bool reaches(size_t from, size_t wanted) const
    {
        std::vector<bool> seen(edges.size());
        std::vector<size_t> open = {from};
        while (!open.empty()) {
            size_t f = open.back();
            open.pop_back();
            if (f == wanted) {
                return true;
            }
            if (seen[f]) {
                continue;
            }
            seen[f] = true;
            for (const edge &e : edges[f]) {
                open.push_back(e.to);
            }
        }
        return false;
    }
};

} // namespace

void check_recursion(const context &c)
{
    calls(c).report();
}

} // namespace metal_lint
