// Launches of instrumented kernels. They run on one thread of the host, and whoever watches them is
// called back at every access, barrier and meeting.
#pragma once

#include <string>

#include "runtime.h"
#include "cpu/cpu.h"
#include "runtime/device.h"
#include "softmetal/cpu/check.h"

namespace softmetal
{

class counter;

class watcher
{
  public:
    watcher() = default;
    watcher(const watcher &) = delete;
    watcher &operator=(const watcher &) = delete;
    virtual ~watcher() = default;

    // Connects a kernel object.
    static void install(check_hooks &hooks);

    // Runs the grid. Calls do not overlap: the device holds its lock.
    virtual bool run(const launch &l, const sm_dispatch &d, time_limit &limit,
                     std::string &error) = 0;

    // Called from kernels.
    virtual void access(uintptr_t address, size_t bytes, uint32_t kind, const void *frame) = 0;
    virtual thread *next(const void *frame) = 0;
    virtual void barrier(thread &t, uint32_t spaces, uint32_t site) = 0;
    virtual void simd_barrier(simd &s, uint32_t mask, uint32_t spaces) = 0;
    virtual void *static_block(const void *key, size_t bytes) = 0;
    virtual uint64_t random() = 0;
    // Before the access: the index, and the array's type in quotes. Who only counts has no use for it.
    virtual void array_index(int64_t, const char *, const void *)
    {
    }
    void matrix(uint32_t operation);

    counter *count = nullptr; // null: nobody counts

  protected:
    arena own;
    group *g = nullptr;
    launch current = {};
    uintptr_t object_begin = 0, object_end = 0; // of the kernel object in memory
    void (*leave)(void **, group &, thread *) = nullptr;

    // Makes the launch current; false if there is no memory for it.
    bool prepare(const launch &l, const sm_dispatch &d, std::string &error);

    // Stacks, the group's own records, the launch and the kernel object's constants.
    bool is_private(uintptr_t address, size_t bytes, bool write) const;

    // While it lives, kernels of this thread of the host call this watcher.
    class turn
    {
      public:
        explicit turn(watcher &w);
        turn(const turn &) = delete;
        turn &operator=(const turn &) = delete;
        ~turn();
    };
};

// Where in the kernel object the caller of the function with this frame stands.
inline uintptr_t return_address(const void *frame)
{
    return static_cast<const uintptr_t *>(frame)[1];
}

// Counts and does nothing else: threads run in the order of fast mode.
class counting_watcher final : public watcher
{
  public:
    bool run(const launch &l, const sm_dispatch &d, time_limit &limit, std::string &error) override;
    void access(uintptr_t address, size_t bytes, uint32_t kind, const void *frame) override;
    thread *next(const void *frame) override;
    void barrier(thread &t, uint32_t spaces, uint32_t site) override;
    void simd_barrier(simd &s, uint32_t mask, uint32_t spaces) override;
    void *static_block(const void *key, size_t bytes) override;
    uint64_t random() override;

  private:
    thread *choose(simd &s, uint32_t after);
};

} // namespace softmetal
