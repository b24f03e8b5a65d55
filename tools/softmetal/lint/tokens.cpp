#include "lint/tokens.h"

namespace metal_lint
{
namespace
{

bool opens(std::string_view t)
{
    return t == "(" || t == "[" || t == "{";
}

bool closes(std::string_view t)
{
    return t == ")" || t == "]" || t == "}";
}

} // namespace

size_t skip_angles(const scan &s, size_t i, size_t limit)
{
    size_t begin = i;
    int depth = 0;
    while (i < limit) {
        std::string_view t = s.at(i);
        if (opens(t)) {
            i = skip_brackets(s, i, limit);
            continue;
        }
        if (t == ";" || closes(t)) {
            return begin; // a comparison, not a list
        }
        depth += t == "<";
        if (t == ">" && --depth == 0) {
            return i + 1;
        }
        i++;
    }
    return begin;
}

size_t opening_of(const scan &s, size_t i)
{
    bool angle = s.is(i, ">");
    int depth = 0;
    for (size_t k = i + 1; k-- > 0;) {
        std::string_view t = s.at(k);
        if (s.tokens[k].kind != token::punctuation) {
            continue;
        }
        if (angle && (t == ";" || t == "{" || t == "}")) {
            return i;
        }
        if (angle && k != i && closes(t)) {
            k = opening_of(s, k);
            continue;
        }
        depth += angle ? t == ">" : closes(t);
        if ((angle ? t == "<" : opens(t)) && --depth == 0) {
            return k;
        }
    }
    return i;
}

} // namespace metal_lint
