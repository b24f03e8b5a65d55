// Walking over tokens: brackets, attributes, places, words.
#include "front/prepass.h"

namespace softmetal
{

size_t skip_brackets(const source &s, size_t i, size_t limit)
{
    int depth = 0;
    for (; i < limit; i++) {
        std::string_view t = s.at(i);
        if (s.tok(i).kind != token::punctuation) {
            continue;
        }
        depth += t == "(" || t == "[" || t == "{";
        if ((t == ")" || t == "]" || t == "}") && --depth <= 0) {
            return i + 1;
        }
    }
    return limit;
}

size_t skip_angles(const source &s, size_t i, size_t limit)
{
    int depth = 0;
    while (i < limit) {
        std::string_view t = s.at(i);
        if (t == "(" || t == "[" || t == "{") {
            i = skip_brackets(s, i, limit);
            continue;
        }
        depth += t == "<";
        if (t == ">" && --depth == 0) {
            return i + 1;
        }
        if (t == ";") {
            return i; // a comparison, not a list
        }
        i++;
    }
    return limit;
}

bool at_attribute(const source &s, size_t i)
{
    return s.is(i, "[") && s.is(i + 1, "[") && s.tok(i).end == s.tok(i + 1).begin;
}

bool is_address_space(std::string_view word)
{
    return word == "device" || word == "threadgroup" || word == "thread" || word == "constant" ||
           word == "kernel" || word == "threadgroup_imageblock";
}

std::string where(const unit &u, size_t i)
{
    if (i >= u.code.tokens.size()) {
        return "?";
    }
    const token &t = u.code.tok(i);
    std::string file = u.code.file_of(t);
    return file + ":" + std::to_string(t.line);
}

std::set<std::string> words_of(const unit &u, const item &it)
{
    std::set<std::string> words;
    for (size_t i = it.begin; i < it.end; i++) {
        if (u.code.tok(i).kind == token::word) {
            words.insert(std::string(u.code.at(i)));
        }
    }
    return words;
}

} // namespace softmetal
