// The objects behind runtime.h.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime.h"
#include "backend.h"

namespace softmetal
{

bool set_error(struct sm_error *error, const std::string &message);

class checker;
class counter;
class counting_watcher;
class watcher;

} // namespace softmetal

struct sm_device {
    sm_device();
    ~sm_device();

    std::unique_ptr<softmetal::backend> backend;
    std::string headers; // of MSL
    // How the back end runs launches:
    uint64_t limit_ns = 0;                     // of a launch on each host thread; 0: none
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
    std::shared_ptr<softmetal::program> shared;            // null if no kernel compiled
    softmetal::backend *backend = nullptr;
};

struct sm_library {
    std::shared_ptr<library_data> data;
};

struct sm_pipeline {
    std::shared_ptr<library_data> data;
    std::shared_ptr<softmetal::program> program;
    const void *handle = nullptr; // of the kernel in the program
    const sm_function *function = nullptr;
    uint32_t buffers_needed = 0; // bit n: buffer n must be bound
};
