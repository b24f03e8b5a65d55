// What executes kernels. Above it stand runtime.h and the Metal objects, which do not know which back
// end a device has; the CPU (cpu/) is one. A back end takes source that the pre-pass can read, and owns
// everything that is particular to its machine: compiler, objects, loading, threads, memory.
//
// Errors are values: false or null, with a message in `error`. All functions may be called from several
// threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "front/prepass.h"
#include "runtime.h"

namespace softmetal
{

struct compile_request {
    std::string path; // of the file, or the name that messages use for `text`
    std::string text; // the source, if `from_text`
    bool from_text = false;
    bool check = false; // an instrumented object, to check or to count
    bool anew = false;  // whatever the cache has
    std::vector<std::string> include_dirs, defines;
};

struct kernel_result {
    kernel_record kernel;
    std::string error; // `file:line: message`; empty: compiled
};

struct compile_result {
    std::string error;  // nothing could be compiled; may have several lines
    std::string object; // the file of the back end's object; empty if no kernel compiled
    std::string sum;    // hash of the object
    std::vector<kernel_result> kernels;
    std::vector<std::string> errors; // of no kernel: `file:line: message`
    bool cached = false;
};

// What a loaded kernel knows of itself, where the pre-pass could only read tokens. The arrays have an
// element for each argument.
struct kernel_facts {
    const uint32_t *codes;    // arg_code
    const uint32_t *bytes;    // of what it refers to; 0: a pointer or a value
    size_t threadgroup_bytes; // of its threadgroup variables
    unsigned max_threads;     // 0: not said
    const void *handle;       // the back end's own, for launches
};

// Kernels that can be launched, with values of function constants of their own.
class program
{
  public:
    virtual ~program() = default;

    // False: it lacks the kernel.
    virtual bool facts(const std::string &kernel, kernel_facts &facts) const = 0;

    // The function constants in order, the same name perhaps several times; false past the end.
    virtual bool constant(size_t index, sm_constant_info &info, bool &defined) const = 0;

    // Sets those that it has; what it has not is no error, another size is.
    virtual bool set_constants(const sm_constant *constants, size_t count, std::string &error) = 0;
};

// Grid and threadgroups of a launch, looked at: nothing is empty, and everything within the limits.
struct launch_shape {
    uint32_t threads[3], grid[3], groups[3];
    uint32_t threadgroup_offset[SM_MAX_BUFFERS]; // of [[threadgroup(n)]], together:
    uint32_t threadgroup_bytes;
};

enum class outcome { ran, failed, timed_out };

class backend
{
  public:
    virtual ~backend() = default;

    // Host threads, or whatever runs threadgroups at the same time.
    virtual unsigned width() const = 0;

    // Compiles, or finds in the cache. Kernels that do not compile do not fail the others.
    virtual compile_result compile(const compile_request &request) = 0;

    // Loads what was compiled. Null with an error.
    virtual std::shared_ptr<program> load(const compile_result &compiled, bool watched,
                                          std::string &error) = 0;

    // Runs a grid of the kernel of dispatch.pipeline, and returns when it has ended.
    virtual outcome launch(const sm_dispatch &dispatch, const launch_shape &shape,
                           std::string &error) = 0;

    // Zeroed memory that the host and kernels see at one address, `bytes` a multiple of its alignment,
    // 16384, and as many bytes behind it that are nobody's; null: none. Other memory of the host that
    // is bound must work as well.
    virtual void *allocate(size_t bytes) = 0;
    virtual void release(void *memory, size_t bytes) = 0;
};

} // namespace softmetal
