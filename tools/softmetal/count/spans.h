// Names of stretches of memory.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace softmetal
{

// Names are compared by address: each must be kept once.
class span_set
{
  public:
    // Where every address has one name, or none. Kept by who reads it while others add names.
    struct part {
        uintptr_t begin, end;
        const char *name; // null: none
    };
    class view
    {
      public:
        part find(uintptr_t address) const;
        // How many bytes bear the name.
        uint64_t bytes(const char *name) const;

      private:
        friend class span_set;
        std::vector<part> parts; // in order, with gaps
        std::unordered_map<const char *, uint64_t> lengths;
    };

    void add(const void *owner, uintptr_t begin, uintptr_t end, const char *name);
    void remove(const void *owner);

    // Where spans overlap, the one that was added last.
    view flatten() const;

    uint64_t changes = 0; // so far

  private:
    struct span {
        uintptr_t begin, end;
        const char *name;
        uint64_t order;
    };
    std::unordered_map<const void *, std::vector<span>> owners;
};

} // namespace softmetal
