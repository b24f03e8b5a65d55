// The edits that need no structure, and the text that results from all of them.
#include <algorithm>
#include <cctype>
#include <cstring>

#include "front/prepass.h"

namespace softmetal
{
namespace
{

constexpr const char *mixed = "*"; // no name: variables and pointers in one declaration

// `threadgroup float a[32], b;` in a body: names of the variables, none for a pointer or reference.
std::vector<std::string> declared_names(const source &s, size_t begin, size_t end)
{
    std::vector<std::string> names;
    size_t words = 0;
    for (size_t i = begin; i < end;) {
        std::string_view t = s.at(i);
        if (t == "*" || t == "&" || t == "=") {
            return names.empty() ? names : std::vector<std::string>{mixed};
        }
        if (t == "alignas" || t == "decltype") {
            i = skip_brackets(s, i + 1, end);
        } else if (t == "<") {
            i = skip_angles(s, i, end);
        } else if (t == "(" || t == "{") {
            return {};
        } else if (t == "[") {
            i = skip_brackets(s, i, end);
        } else {
            bool word = s.tok(i).kind == token::word;
            bool last = i + 1 == end || s.is(i + 1, "[") || s.is(i + 1, ",");
            if (word && last && words > 0) {
                names.push_back(std::string(t));
            }
            words += word && t != "threadgroup" && t != "static" && t != "const";
            i++;
        }
    }
    return names;
}

bool is_float_without_suffix(std::string_view t)
{
    bool hex = t.size() > 1 && t[0] == '0' && (t[1] == 'x' || t[1] == 'X');
    char last = static_cast<char>(std::tolower(static_cast<unsigned char>(t.back())));
    if (last == 'f' || last == 'l' || last == 'h' || last == 'u') {
        return false;
    }
    return t.find('.') != std::string_view::npos ||
           t.find_first_of(hex ? "pP" : "eE") != std::string_view::npos;
}

void edit_number(unit &u, const token &t, std::string_view text)
{
    bool hex = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
    if (is_float_without_suffix(text)) {
        u.edits.push_back({t.end, t.end, "f"});
    } else if (!hex && (text.back() == 'h' || text.back() == 'H')) {
        bool whole = text.find_first_of(".eE") == std::string_view::npos;
        u.edits.push_back({t.end - 1, t.end, whole ? ".0f16" : "f16"});
    } else if (!hex && text.size() > 2 && text.substr(text.size() - 2) == "bf") {
        std::string digits(text.substr(0, text.size() - 2));
        bool whole = digits.find_first_of(".eE") == std::string::npos;
        u.edits.push_back({t.begin, t.end, "bfloat(" + digits + (whole ? ".0f)" : "f)")});
    }
}

void edit_word(unit &u, size_t i)
{
    const source &s = u.code;
    const token &t = s.tok(i);
    std::string_view word = s.at(i);
    if (i > 0 && (s.is(i - 1, ".") || s.is(i - 1, "->") || s.is(i - 1, "::"))) {
        return;
    }
    bool qualifies_function =
        i > 1 && (s.is(i - 1, ")") || (s.is(i - 1, "const") && s.is(i - 2, ")"))) &&
        (s.is(i + 1, "{") || s.is(i + 1, ";") || s.is(i + 1, ":") || s.is(i + 1, "="));
    if (qualifies_function && is_address_space(word)) {
        u.edits.push_back({t.begin, t.end, ""});
    } else if (is_address_space(word)) {
        u.edits.push_back({t.begin, t.end, word == "constant" ? "const" : ""});
    } else if (word == "is_function_constant_defined" && s.is(i + 1, "(")) {
        u.edits.push_back({t.begin, s.tok(i + 1).end, "(softmetal_defined_"});
        if (s.is(i + 2, "(")) { // in parentheses of a macro
            u.edits.push_back({s.tok(i + 2).begin, s.tok(i + 2).end, ""});
            u.edits.push_back({s.tok(i + 4).begin, s.tok(i + 4).end, ""});
        }
    }
}

// Two numbers: a constant, and clang wants it as simple as it is in some initializers.
bool divides_numbers(const source &s, size_t i)
{
    bool chained = s.is(i - 2, "*") || s.is(i - 2, "/") || s.is(i - 2, "%");
    return !chained && s.tok(i - 1).kind == token::number && s.tok(i + 1).kind == token::number;
}

// A division that may err: see `over` in softmetal/check_math.h.
void edit_division(unit &u, size_t i)
{
    const source &s = u.code;
    if (s.is(i, "/") && i > 1 && !s.is(i - 1, "operator") && !divides_numbers(s, i)) {
        bool assigns = s.is(i + 1, "=") && s.tok(i + 1).begin == s.tok(i).end;
        size_t at = s.tok(assigns ? i + 1 : i).end;
        u.edits.push_back({at, at, assigns ? " ::softmetal::over %=" : " ::softmetal::over /"});
    }
}

// What must stay of replaced text: its line ends, and the line markers among it.
std::string kept_lines(const std::string &text)
{
    std::string kept;
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
        kept += '\n';
        if (text.compare(at + 1, 2, "# ") == 0) { // not a #pragma
            kept += text.substr(at + 1, text.find('\n', at + 1) - at - 1);
        }
    }
    return kept;
}

// What the library must know about the file before its templates are used.
std::string prologue(const unit &u)
{
    std::string text;
    if (u.code.text.find("thread_elements") == std::string::npos) {
        for (const char *type : {"float", "half", "bfloat"}) {
            text += std::string("template <> inline constexpr bool softmetal::may_spread<") + type +
                    "> = false; ";
        }
    }
    return text + "\n";
}

std::string apply(const std::string &text, std::vector<edit> edits)
{
    // Insertions go before what replaces the same place; otherwise the longer edit wins.
    std::vector<size_t> order(edits.size());
    for (size_t i = 0; i < order.size(); i++) {
        order[i] = i;
    }
    std::sort(order.begin(), order.end(), [&](size_t i, size_t k) {
        const edit &a = edits[i], &b = edits[k];
        bool a_inserts = a.begin == a.end, b_inserts = b.begin == b.end;
        return a.begin != b.begin       ? a.begin < b.begin
               : a_inserts != b_inserts ? a_inserts
               : a.end != b.end         ? a.end > b.end
                                        : i < k;
    });
    std::string out;
    size_t at = 0;
    for (size_t i : order) {
        const edit &e = edits[i];
        if (e.begin < at) {
            continue; // inside something already replaced
        }
        out.append(text, at, e.begin - at);
        out += e.text + kept_lines(text.substr(e.begin, e.end - e.begin));
        at = e.end;
    }
    return out + text.substr(at);
}

} // namespace

// `coherent`, `coherent(system)`: memory is always coherent here. Elsewhere it is a name like others.
void drop_coherent(unit &u)
{
    source &s = u.code;
    auto qualifies = [&](size_t i) {
        return is_address_space(s.at(i)) || s.is(i, "const") || s.is(i, "volatile");
    };
    std::vector<token> kept;
    for (size_t i = 0; i < s.tokens.size(); i++) {
        if (s.is(i, "coherent")) {
            bool scoped = s.is(i + 1, "(") && s.is(i + 3, ")");
            size_t after = scoped ? i + 4 : i + 1;
            bool beside = qualifies(after) || (i > 0 && qualifies(i - 1));
            if (beside && s.tok(after).kind == token::word) {
                u.edits.push_back({s.tok(i).begin, s.tok(after - 1).end, ""});
                i = after - 1;
                continue;
            }
        }
        kept.push_back(s.tok(i));
    }
    s.tokens.swap(kept);
}

size_t edit_threadgroup_variables(unit &u, size_t begin, size_t end, const std::string &tag)
{
    const source &s = u.code;
    size_t count = 0;
    for (size_t i = begin; i < end; i++) {
        if (!s.is(i, "threadgroup") || i == begin) {
            continue;
        }
        size_t first = i;
        while (first > begin && !s.is(first - 1, ";") && !s.is(first - 1, "{") &&
               !s.is(first - 1, "}")) {
            first--;
        }
        size_t stop = i;
        while (stop < end && !s.is(stop, ";")) {
            stop++;
        }
        bool starts = first == i || s.is(first, "alignas") || s.is(first, "static") ||
                      s.is(first, "const") || s.is(first, "volatile");
        std::vector<std::string> names =
            starts ? declared_names(s, first, stop) : std::vector<std::string>();
        if (names.empty()) {
            continue;
        }
        if (names[0] == mixed) {
            u.edits.push_back({s.tok(first).begin, s.tok(first).begin,
                               "static_assert(false, \"threadgroup variables and pointers, or "
                               "initializers, in one declaration\"); "});
            continue;
        }
        std::string number = std::to_string(u.edits.size());
        std::string block = "softmetal_block_" + number, var = "softmetal_memory_" + number;
        u.edits.push_back({s.tok(first).begin, s.tok(first).begin, "struct " + block + " { "});
        std::string after = " }; " + block + " &" + var + " = softmetal::static_memory<" + block +
                            (tag.empty() ? "" : ", " + tag) + ">();";
        for (const std::string &name : names) {
            after += " auto &" + name + " = " + var + "." + name + ";";
        }
        u.edits.push_back({s.tok(stop).end, s.tok(stop).end, after});
        count++;
        i = stop;
    }
    return count;
}

// Preprocessing leaves macros in pragmas alone, and clang then takes their names for variables. The
// count of an unroll hint means nothing for results: where it is no plain number the hint goes.
static void drop_unroll_hints(std::string &text)
{
    for (size_t at = text.find("#pragma unroll"); at != std::string::npos;
         at = text.find("#pragma unroll", at + 1)) {
        size_t begin = at + strlen("#pragma unroll"), end = text.find('\n', at);
        end = end == std::string::npos ? text.size() : end;
        for (size_t i = begin; i < end; i++) {
            if (isalpha(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_') {
                std::fill(text.begin() + static_cast<long>(at),
                          text.begin() + static_cast<long>(end), ' ');
                break;
            }
        }
    }
}

std::string emit(const unit &u, const omission &left_out)
{
    unit all;
    all.edits = u.edits;
    for (size_t d : left_out.bodies) {
        const item &it = u.items[d];
        all.edits.insert(all.edits.begin(),
                         {u.code.tok(it.body).begin, u.code.tok(it.end - 1).end, "= delete;"});
    }
    for (size_t d : left_out.items) {
        const source &s = u.code;
        const item &it = u.items[d];
        // First, so that it wins over an edit of the same range.
        all.edits.insert(all.edits.begin(), {s.tok(it.begin).begin, s.tok(it.end - 1).end, ""});
        // What stands beside the item itself, its tag and its registration, goes with it.
        all.edits.erase(std::remove_if(all.edits.begin(), all.edits.end(),
                                       [&](const edit &e) { return e.item == d; }),
                        all.edits.end());
    }
    unit view;
    view.code = u.code;
    for (size_t i = 0; i < view.code.tokens.size(); i++) {
        if (at_attribute(view.code, i)) {
            size_t after = skip_brackets(view.code, i, view.code.tokens.size());
            view.edits.push_back({view.code.tok(i).begin, view.code.tok(after - 1).end, ""});
            i = after - 1;
        } else if (view.code.tok(i).kind == token::number) {
            edit_number(view, view.code.tok(i), view.code.at(i));
        } else if (view.code.tok(i).kind == token::word) {
            edit_word(view, i);
        } else if (u.erring_divisions) {
            edit_division(view, i);
        }
    }
    all.edits.insert(all.edits.end(), view.edits.begin(), view.edits.end());
    std::string out = apply(u.code.text, all.edits);
    drop_unroll_hints(out);
    return prologue(u) + out;
}

} // namespace softmetal
