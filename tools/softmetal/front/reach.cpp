// What a kernel reaches through the names in it.
#include <algorithm>

#include "front/prepass.h"

namespace softmetal
{

void find_constants(unit &u)
{
    std::vector<std::set<std::string>> words;
    std::multimap<std::string, size_t> functions;
    for (size_t i = 0; i < u.items.size(); i++) {
        words.push_back(words_of(u, u.items[i]));
        functions.emplace(u.items[i].name, i);
    }
    std::set<std::string> asked; // of which the file asks whether they are defined
    for (size_t i = 0; i + 3 < u.code.tokens.size(); i++) {
        if (u.code.is(i, "is_function_constant_defined")) {
            asked.insert(std::string(u.code.at(u.code.is(i + 2, "(") ? i + 3 : i + 2)));
        }
    }
    for (kernel_record &k : u.kernels) {
        std::set<size_t> seen = {k.item};
        std::vector<size_t> left = {k.item};
        std::set<std::string> needs;
        while (!left.empty()) {
            size_t at = left.back();
            left.pop_back();
            for (const std::string &w : words[at]) {
                if (std::find(u.constants.begin(), u.constants.end(), w) != u.constants.end()) {
                    needs.insert((asked.count(w) ? "?" : "") + w);
                }
                for (auto r = functions.equal_range(w); r.first != r.second; ++r.first) {
                    if (!w.empty() && seen.insert(r.first->second).second) {
                        left.push_back(r.first->second);
                    }
                }
            }
        }
        k.constants.assign(needs.begin(), needs.end());
    }
}

} // namespace softmetal
