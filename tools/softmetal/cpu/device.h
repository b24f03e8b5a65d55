// The objects behind runtime.h.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <atomic>
#include <vector>

#include "runtime.h"
#include "cpu/compiler.h"
#include "cpu/deadline.h"

namespace softmetal
{

bool set_error(struct sm_error *error, const std::string &message);

// The memory of one host thread that runs threadgroups: a group and its stacks.
class arena
{
  public:
    arena() = default;
    arena(const arena &) = delete;
    arena &operator=(const arena &) = delete;
    ~arena();

    bool reserve(std::string &error);
    // Makes stacks for `threads` usable, each with an unmapped page below it.
    bool need_stacks(uint32_t threads, std::string &error);

    group *g = nullptr;

  private:
    void *mapping = nullptr;
    size_t mapped = 0;
    uint32_t stacks = 0;
    std::unique_ptr<char[]> memory;
};

// A loaded copy of a kernel object; function constants give each pipeline its own.
class module
{
  public:
    module() = default;
    module(const module &) = delete;
    module &operator=(const module &) = delete;
    ~module();

    bool load(const std::string &path, const std::string &sum, std::string &error);
    const kernel_entry *find(const std::string &name) const;

    library_entry *entry = nullptr;
    uintptr_t begin = 0, end = 0; // where it is in memory

  private:
    void *handle = nullptr;
};

// What is wrong with a launch whose group ended in this fault.
const char *fault_text(uint32_t fault);

// Makes a group ready to run the threadgroup of that number.
void prepare_group(group &g, const launch &l, uint64_t number);

// Host threads that run the threadgroups of one dispatch at a time; the caller is one of them.
class crew
{
  public:
    bool start(unsigned threads, std::string &error);
    ~crew();
    bool run(const launch &l, time_limit &limit, std::string &error);
    unsigned size() const
    {
        return static_cast<unsigned>(arenas.size());
    }

  private:
    std::vector<std::unique_ptr<arena>> arenas;
    std::vector<std::thread> threads;
    std::mutex one_dispatch, lock;
    std::condition_variable begin, finished;
    const launch *current = nullptr;
    time_limit *current_limit = nullptr;
    uint64_t generation = 0;
    unsigned busy = 0;
    bool stop = false;
    std::atomic<uint64_t> next_group{0};
    uint64_t group_count = 0, batch = 1;
    std::atomic<uint32_t> fault{0};

    void worker(size_t index);
    void work(arena &a, const launch &l, time_limit &limit);
};

class checker;
class counter;
class counting_watcher;
class watcher;

} // namespace softmetal

struct sm_device {
    sm_device();
    ~sm_device();

    std::string headers, compiler, cache;
    uint64_t limit_ns = 0; // of a launch on each host thread; 0: none
    softmetal::crew crew;
    std::unique_ptr<softmetal::counter> count; // null: nothing is counted
    std::unique_ptr<softmetal::checker> check; // null: nothing is checked
    std::unique_ptr<softmetal::counting_watcher> only_counts;
    softmetal::watcher *watch = nullptr; // one of these two; null: fast mode
    std::mutex watching;                 // one launch at a time
};

// What library and pipelines share; freed with the last of them.
struct library_data {
    softmetal::compile_result compiled;
    bool watched = false; // the objects are instrumented
    std::vector<std::vector<sm_argument>> arguments;
    std::vector<sm_function> functions;
    std::vector<std::pair<std::string, std::string>> failures;
    std::vector<const softmetal::kernel_record *> records; // as functions
    std::vector<const softmetal::kernel_entry *> entries;  // as functions
    std::shared_ptr<softmetal::module> shared;             // null if no kernel compiled
};

struct sm_library {
    std::shared_ptr<library_data> data;
};

struct sm_pipeline {
    std::shared_ptr<library_data> data;
    std::shared_ptr<softmetal::module> module;
    const sm_function *function = nullptr;
    void (*body)(softmetal::thread &) = nullptr;
    uint32_t buffers_needed = 0; // bit n: buffer n must be bound
};
