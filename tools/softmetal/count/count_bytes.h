// Which bytes were touched before: by the threadgroup, the launch, the command buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "runtime.h"

namespace softmetal
{

constexpr uintptr_t count_page_bytes = 4096;
constexpr size_t count_page_words = count_page_bytes / 64;

// A bit for every byte that was touched; pages appear when they are. Loads and stores are apart.
class byte_set
{
  public:
    struct page {
        uint64_t bits[2][count_page_words];
    };
    page &at(uintptr_t number);

  private:
    std::unordered_map<uintptr_t, std::unique_ptr<page>> pages;
    uintptr_t last_number = 0;
    page *last = nullptr;
};

class byte_shadow
{
  public:
    void begin_launch();
    void begin_group();
    // Counts an access, and what in it is new, into `to`; `buffer` is the command buffer's set.
    void mark(uintptr_t address, size_t bytes, bool store, byte_set &buffer, sm_traffic &to);

  private:
    // Bits are of the group or launch whose number stands beside them.
    struct level {
        uint64_t number[2];
        uint64_t bits[2][count_page_words];

        uint64_t *of(bool store, uint64_t now);
    };
    struct page {
        level group, launch;
    };
    std::unordered_map<uintptr_t, std::unique_ptr<page>> pages;
    struct {
        uintptr_t number = 0;
        page *at = nullptr;
    } recent[64];
    uint64_t group = 0, launch = 0; // numbers, from 1

    page &page_of(uintptr_t number);
};

} // namespace softmetal
