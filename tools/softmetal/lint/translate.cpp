#include "lint/translate.h"

#include <algorithm>
#include <cctype>

namespace metal_lint
{
namespace
{

struct edit {
    size_t begin, end; // in scan::text
    std::string text;
    size_t order; // of edits at one place
};

struct renamed {
    const char *from, *to;
};

const renamed spaces[] = {{"device", "__global"},
                          {"threadgroup", "__local"},
                          {"thread", "__private"},
                          {"constant", "const __constant"},
                          {"kernel", ""}};

// Words of OpenCL that are plain names in Metal.
const char *const opencl_words[] = {"global",     "local",     "generic",   "read_only",
                                    "write_only", "read_write", "pipe",     "vec_step",
                                    "event_t",    "queue_t",   "sampler_t", "uniform",
                                    "atomic_int", "atomic_uint", "atomic_long", "atomic_ulong",
                                    "atomic_float"};

bool is_scalar_name(std::string_view t)
{
    static const char *const names[] = {"bool",   "char", "uchar", "short", "ushort", "int",
                                        "uint",   "long", "ulong", "half",  "float",  "bfloat"};
    return std::any_of(std::begin(names), std::end(names), [&](const char *n) { return t == n; });
}

bool is_vector_name(std::string_view t)
{
    for (const char *prefix : {"packed_", "vector_"}) {
        if (t.compare(0, 7, prefix) == 0) {
            t.remove_prefix(7);
        }
    }
    return t.size() > 1 && t.back() >= '2' && t.back() <= '4' &&
           is_scalar_name(t.substr(0, t.size() - 1));
}

struct translator {
    translator(const scan &s, const structure &r) : s(s), r(r)
    {
    }

    std::string run()
    {
        for (const variable &v : r.variables) {
            function_constant(v);
        }
        for (size_t i = 0; i < s.tokens.size(); i++) {
            if (at_attribute(s, i)) {
                size_t after = skip_brackets(s, i, s.tokens.size());
                replace(s.tokens[i].begin, s.tokens[after - 1].end, "");
                i = after - 1;
            } else if (s.word(i)) {
                i = word(i);
            } else if (s.tokens[i].kind == token::number) {
                number(s.tokens[i]);
            } else if (s.is(i, "(")) {
                cast(i);
            } else if (s.is(i, "{")) {
                initialiser(i);
            }
        }
        return apply();
    }

  private:
    const scan &s;
    const structure &r;
    std::vector<edit> edits;

    void replace(size_t begin, size_t end, const std::string &text)
    {
        edits.push_back({begin, end, text, edits.size()});
    }
    void before(size_t i, const std::string &text)
    {
        replace(s.tokens[i].begin, s.tokens[i].begin, text);
    }
    void after(size_t i, const std::string &text)
    {
        replace(s.tokens[i].end, s.tokens[i].end, text);
    }

    // A function constant has no initialiser, which only an external variable may lack.
    void function_constant(const variable &v)
    {
        bool found = false;
        for (size_t i = v.name; i < v.end; i++) {
            found = found || s.is(i, "function_constant");
        }
        if (found) {
            before(v.begin, "extern ");
        }
    }

    bool names_member(size_t i) const
    {
        return i > 0 && (s.is(i - 1, ".") || s.is(i - 1, "->") || s.is(i - 1, "::"));
    }

    // `template [[...]] kernel TYPE f<...>;` becomes a use of f<...>: function types that a name
    // stands for do not match here. Returns the last token that it replaced.
    size_t instantiation(size_t i)
    {
        size_t end = i;
        while (end < s.tokens.size() && !s.is(end, ";") && !s.is(end, "{")) {
            end++;
        }
        size_t angle = s.is(end, ";") && s.is(end - 1, ">") ? opening_of(s, end - 1) : end;
        if (angle >= end - 1 || !s.word(angle - 1) || r.in_function[i] || angle < i + 3) {
            return i;
        }
        size_t name = angle - 1;
        while (s.is(name - 1, "::") && s.word(name - 2)) {
            name -= 2;
        }
        for (size_t k = i; k < name; k++) {
            if (s.is(k, "struct") || s.is(k, "class")) {
                return i;
            }
        }
        replace(s.tokens[i].begin, s.tokens[name].begin,
                "inline void softmetal_use" + std::to_string(i) + "() { (void)&");
        after(end - 1, "; }");
        return name - 1;
    }

    // `template <void (*f)(int)>`: a reference, since the front end finds no match for a pointer.
    void template_parameters(size_t open)
    {
        size_t end = skip_angles(s, open, s.tokens.size());
        for (size_t k = open; k + 4 < end; k++) {
            if (s.is(k, "(") && s.is(k + 1, "*") && s.word(k + 2) && s.is(k + 3, ")")) {
                replace(s.tokens[k + 1].begin, s.tokens[k + 1].end, "&");
            }
        }
    }

    // Returns the last token that it dealt with.
    size_t word(size_t i)
    {
        for (const renamed &n : spaces) {
            if (s.is(i, n.from) && !names_member(i)) {
                bool method = s.is(i - 1, ")") || (s.is(i - 1, "const") && s.is(i - 2, ")"));
                bool constant = s.is(i, "constant") && method;
                replace(s.tokens[i].begin, s.tokens[i].end, constant ? "__constant" : n.to);
                if (s.is(i, "threadgroup") && r.in_function[i]) {
                    memory(i);
                }
                return i;
            }
        }
        for (const char *w : opencl_words) {
            if (s.is(i, w)) {
                after(i, "_");
                return i;
            }
        }
        if (s.is(i, "template") && s.is(i + 1, "<")) {
            template_parameters(i + 1);
        } else if (s.is(i, "template")) {
            return instantiation(i);
        }
        if (s.is(i, "private") && !s.is(i + 1, ":") && !s.is(i - 1, ":")) {
            after(i, "_");
            return i;
        }
        construction(i);
        return i;
    }

    // `threadgroup float a[4], b;` in a body becomes two references: the front end allows such
    // variables only in functions that it knows to be kernels.
    void memory(size_t i)
    {
        size_t first = i;
        while (first > 0 && (s.is(first - 1, "static") || s.is(first - 1, "const") ||
                             s.is(first - 1, "constexpr") || s.is(first - 1, "volatile"))) {
            first--;
        }
        if (first > 0 && !s.is(first - 1, ";") && !s.is(first - 1, "{") && !s.is(first - 1, "}")) {
            return;
        }
        std::vector<size_t> names, ends;
        size_t words = 0, k = i + 1;
        for (; k < s.tokens.size() && !s.is(k, ";");) {
            std::string_view t = s.at(k);
            if (t == "*" || t == "&" || t == "=" || t == "(" || t == "{" || t == ")") {
                if (t != "(" || !s.is(k - 1, "alignas")) {
                    return;
                }
                k = skip_brackets(s, k, s.tokens.size());
                continue;
            }
            if (t == "<") {
                k = std::max(k + 1, skip_angles(s, k, s.tokens.size()));
                continue;
            }
            if (t == "[") {
                k = skip_brackets(s, k, s.tokens.size());
                continue;
            }
            bool last = s.is(k + 1, "[") || s.is(k + 1, ",") || s.is(k + 1, ";");
            if (s.word(k) && last && words > 0) {
                names.push_back(k);
            }
            if (t == ",") {
                ends.push_back(k);
            }
            words += s.word(k) && t != "const" && t != "volatile";
            k++;
        }
        ends.push_back(k);
        if (names.empty() || names.size() != ends.size()) {
            return;
        }
        for (size_t n = 0; n < names.size(); n++) {
            before(names[n], "(&");
            after(names[n], ")");
            before(ends[n], " = softmetal_memory()");
        }
    }

    // The first token of the qualified type name that ends at i.
    size_t qualified_begin(size_t i) const
    {
        while (i > 1 && s.is(i - 1, "::") && s.word(i - 2) &&
               (s.is(i - 2, "metal") || s.is(i - 2, "simd"))) {
            i -= 2;
        }
        return i;
    }

    bool is_type(size_t i) const
    {
        return is_vector_name(s.at(i)) || r.aliases.count(std::string(s.at(i))) > 0;
    }

    // `float4(...)`, `vec<T, 4>(...)`, `T(...)`: a functional cast, which the front end has only
    // for one argument and no vectors.
    void construction(size_t i)
    {
        size_t open = i + 1;
        bool made = is_type(i);
        if ((s.is(i, "vec") || s.is(i, "packed_vec")) && s.is(open, "<")) {
            open = skip_angles(s, open, s.tokens.size());
            made = open != i + 1;
        }
        size_t begin = qualified_begin(i);
        if (!made || !s.is(open, "(") || s.is(open + 1, "*") || names_member(begin)) {
            return;
        }
        std::string_view prev = begin > 0 ? s.at(begin - 1) : ";";
        bool type_before = begin > 0 && s.word(begin - 1) && prev != "return" && prev != "else" &&
                           prev != "case";
        bool other = prev == "operator" || prev == ">" || prev == "~" || prev == "*" || prev == "&";
        if (type_before || (other && !operand_before(begin - 1))) {
            return;
        }
        before(begin, "softmetal_make<");
        after(open - 1, ">");
    }

    // Whether the operator at i has a left operand, so that an expression follows it.
    bool operand_before(size_t i) const
    {
        return (s.is(i, "*") || s.is(i, "&") || s.is(i, ">")) && i > 0 &&
               (s.is(i - 1, ")") || s.is(i - 1, "]") || s.tokens[i - 1].kind == token::number ||
                (s.word(i - 1) && r.in_function[i])) &&
               !(s.is(i, ">") && opening_of(s, i) != i);
    }

    // `(float4)x` and `(T)x`.
    void cast(size_t i)
    {
        size_t name = i + 1;
        while (s.word(name) && s.is(name + 1, "::")) {
            name += 2;
        }
        size_t close = name + 1;
        bool type = s.word(name) && is_type(name);
        if (s.is(name, "vec") && s.is(name + 1, "<")) {
            close = skip_angles(s, name + 1, s.tokens.size());
            type = true;
        }
        if (!type || !s.is(close, ")") || !r.in_function[i] || i == 0) {
            return;
        }
        std::string_view prev = s.at(i - 1);
        bool called = (s.word(i - 1) && prev != "return" && prev != "else" && prev != "case") ||
                      prev == ")" || prev == "]" || prev == ">";
        std::string_view next = s.at(close + 1);
        bool operand = s.word(close + 1) || next == "(" || next == "-" || next == "~" ||
                       next == "!" || next == "*" || next == "+" || next == "&" ||
                       (close + 1 < s.tokens.size() && s.tokens[close + 1].kind == token::number);
        if (called || !operand) {
            return;
        }
        replace(s.tokens[i].begin, s.tokens[i].end, "softmetal_cast<");
        replace(s.tokens[close].begin, s.tokens[close].end, ">()->*");
    }

    // `float4 a = {0}`: Metal fills the rest, the front end asks for every component.
    void initialiser(size_t i)
    {
        size_t after = skip_brackets(s, i, s.tokens.size());
        if (i < 3 || !r.in_function[i] || !s.is(i - 1, "=") || !s.word(i - 2) ||
            count_arguments(s, i) != 1 || s.is(i + 1, "{")) {
            return;
        }
        size_t k = i - 3;
        while (s.is(k, ",") && s.is(k - 1, "}")) { // a further declarator
            k = opening_of(s, k - 1) - 3;
        }
        bool vector = is_vector_name(s.at(k));
        if (s.is(k, ">")) {
            size_t open = opening_of(s, k);
            vector = open > 0 && s.is(open - 1, "vec");
        }
        if (vector) {
            replace(s.tokens[i].begin, s.tokens[i].end, "(");
            replace(s.tokens[after - 1].begin, s.tokens[after - 1].end, ")");
        }
    }

    void number(const token &t)
    {
        std::string text = s.text.substr(t.begin, t.end - t.begin);
        bool hex = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
        if (!hex && text.size() > 2 && text.compare(text.size() - 2, 2, "bf") == 0) {
            std::string digits = text.substr(0, text.size() - 2);
            bool whole = digits.find_first_of(".eE") == std::string::npos;
            replace(t.begin, t.end, "bfloat(" + digits + (whole ? ".0f)" : "f)"));
        } else if (!hex && (text.back() == 'h' || text.back() == 'H') &&
                   text.find_first_of(".eE") == std::string::npos) {
            replace(t.begin, t.end, text.substr(0, text.size() - 1) + ".0h");
        } else if (!hex && text.find_first_of(".eE") != std::string::npos &&
                   (std::isdigit(static_cast<unsigned char>(text.back())) || text.back() == '.')) {
            replace(t.end, t.end, "f"); // single precision is lost in instantiated templates
        }
    }

    std::string apply()
    {
        std::sort(edits.begin(), edits.end(), [](const edit &a, const edit &b) {
            return a.begin != b.begin ? a.begin < b.begin : a.order < b.order;
        });
        std::string out;
        size_t at = 0;
        for (const edit &e : edits) {
            if (e.begin < at) {
                continue; // inside of one that was replaced as a whole
            }
            out += s.text.substr(at, e.begin - at) + e.text;
            for (size_t k = e.begin; k < e.end; k++) {
                out += s.text[k] == '\n' ? "\n" : "";
            }
            at = e.end;
        }
        return without_pragmas(out + s.text.substr(at));
    }

    // A pragma's macros are not expanded by now, and the check needs none.
    static std::string without_pragmas(std::string text)
    {
        for (size_t begin = 0; begin < text.size();) {
            size_t end = std::min(text.find('\n', begin), text.size());
            size_t first = text.find_first_not_of(" \t", begin);
            if (first < end && text.compare(first, 7, "#pragma") == 0) {
                text.replace(begin, end - begin, end - begin, ' ');
            }
            begin = end + 1;
        }
        return text;
    }
};

} // namespace

std::string translate(const scan &s, const structure &r)
{
    return translator(s, r).run();
}

} // namespace metal_lint
