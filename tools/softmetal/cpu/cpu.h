// The CPU as a back end: kernel objects in the process, threadgroups on host threads.
#pragma once

#include <setjmp.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "backend.h"
#include "cpu/compiler.h"
#include "cpu/deadline.h"
#include "runtime.h"

struct sm_device;
struct sm_pipeline;

namespace softmetal
{

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
    sigjmp_buf stray; // where its thread goes on after a memory fault in a kernel

  private:
    void *mapping = nullptr;
    size_t mapped = 0;
    uint32_t stacks = 0;
    std::unique_ptr<char[]> memory;
};

// A loaded copy of a kernel object; function constants give each pipeline its own.
class module : public program
{
  public:
    module() = default;
    module(const module &) = delete;
    module &operator=(const module &) = delete;
    ~module() override;

    bool load(const std::string &path, const std::string &sum, std::string &error);
    bool facts(const std::string &kernel, kernel_facts &facts) const override;
    bool constant(size_t index, sm_constant_info &info, bool &defined) const override;
    bool set_constants(const sm_constant *constants, size_t count, std::string &error) override;
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
    void run_groups(arena &a, const launch &l);

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

// The object of a pipeline of this back end.
module &module_of(const sm_pipeline &pipeline);

// The back end of a device: it also checks and counts, as the device is told to.
std::unique_ptr<backend> open_cpu(const sm_device_options &options, sm_device &device,
                                  std::string &error);

} // namespace softmetal
