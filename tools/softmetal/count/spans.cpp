#include "count/spans.h"

#include <algorithm>
#include <map>

namespace softmetal
{

void span_set::add(const void *owner, uintptr_t begin, uintptr_t end, const char *name)
{
    owners[owner].push_back({begin, end, name, changes++});
}

void span_set::remove(const void *owner)
{
    changes += owners.erase(owner);
}

span_set::view span_set::flatten() const
{
    std::vector<span> all;
    for (const auto &o : owners) {
        all.insert(all.end(), o.second.begin(), o.second.end());
    }
    std::sort(all.begin(), all.end(),
              [](const span &a, const span &b) { return a.order < b.order; });
    std::map<uintptr_t, part> flat;
    for (const span &s : all) {
        auto at = flat.upper_bound(s.begin);
        if (at != flat.begin() && std::prev(at)->second.end > s.begin) {
            part &before = std::prev(at)->second;
            part rest = before;
            before.end = s.begin;
            if (rest.end > s.end) {
                flat[s.end] = {s.end, rest.end, rest.name};
            }
        }
        while ((at = flat.lower_bound(s.begin)) != flat.end() && at->first < s.end) {
            part rest = at->second;
            flat.erase(at);
            if (rest.end > s.end) {
                flat[s.end] = {s.end, rest.end, rest.name};
            }
        }
        flat[s.begin] = {s.begin, s.end, s.name};
    }
    view v;
    for (const auto &f : flat) {
        if (f.second.begin < f.second.end) {
            v.parts.push_back(f.second);
            v.lengths[f.second.name] += f.second.end - f.second.begin;
        }
    }
    return v;
}

span_set::part span_set::view::find(uintptr_t address) const
{
    auto after = std::upper_bound(parts.begin(), parts.end(), address,
                                  [](uintptr_t a, const part &p) { return a < p.begin; });
    part gap = {0, after == parts.end() ? UINTPTR_MAX : after->begin, nullptr};
    if (after == parts.begin()) {
        return gap;
    }
    const part &before = *std::prev(after);
    if (address < before.end) {
        return before;
    }
    gap.begin = before.end;
    return gap;
}

uint64_t span_set::view::bytes(const char *name) const
{
    auto found = lengths.find(name);
    return found == lengths.end() ? 0 : found->second;
}

} // namespace softmetal
