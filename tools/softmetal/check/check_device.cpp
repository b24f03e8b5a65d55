// How a device comes to check and to count, and what the host can ask of the checks.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "check/check.h"
#include "count/count.h"
#include "runtime/device.h"

namespace softmetal
{
namespace
{

// Whether a device that the environment put into checking mode has a report: see at_exit.
std::atomic<bool> process_failed{false};

void at_exit()
{
    if (process_failed) {
        write_all_counters(); // what was registered earlier will not run
        std::fflush(nullptr);
        _exit(SM_CHECK_STATUS);
    }
}

uint64_t number(uint64_t given, const char *variable, uint64_t fallback)
{
    const char *value = std::getenv(variable);
    return given ? given : value && *value ? std::strtoull(value, nullptr, 0) : fallback;
}

} // namespace

void checker::fail_process()
{
    if (!process_failed.exchange(true)) {
        std::atexit(at_exit);
    }
}

namespace
{

bool choose_checks(const sm_device_options &o, sm_device &device, std::string &error)
{
    const char *value = std::getenv("SOFTMETAL_MODE");
    bool named = o.mode == SM_MODE_DEFAULT && value && *value;
    if (named && std::strcmp(value, "fast") != 0 && std::strcmp(value, "check") != 0) {
        error = std::string("SOFTMETAL_MODE is '") + value + "', expected fast or check";
        return false;
    }
    bool environment = named && std::strcmp(value, "check") == 0;
    if (o.mode != SM_MODE_CHECK && !environment) {
        return true;
    }
    device.check =
        std::make_unique<checker>(number(o.seed, "SOFTMETAL_SEED", 1),
                                  number(o.adversarial, "SOFTMETAL_ADVERSARIAL", 0), environment);
    device.check->headers = device.headers;
    device.check->callback = o.report;
    device.check->callback_context = o.report_context;
    device.watch = device.check.get();
    return true;
}

bool choose_counters(const sm_device_options &o, sm_device &device, std::string &error)
{
    const char *path = o.counters ? o.counters : std::getenv("SOFTMETAL_COUNTERS");
    std::unique_ptr<count_file> file;
    if (path && *path) {
        file = count_file::open(path, error);
        if (!file) {
            return false;
        }
    } else if (!o.count) {
        return true;
    }
    device.count = std::make_unique<counter>(std::move(file));
    if (!device.watch) {
        device.only_counts = std::make_unique<counting_watcher>();
        device.watch = device.only_counts.get();
    }
    device.watch->count = device.count.get();
    return true;
}

} // namespace

bool choose_mode(const sm_device_options &o, sm_device &device, std::string &error)
{
    return choose_checks(o, device, error) && choose_counters(o, device, error);
}

} // namespace softmetal

size_t sm_report_count(const struct sm_device *device)
{
    return device->check ? device->check->reports.size() : 0;
}

const struct sm_report *sm_report_get(const struct sm_device *device, size_t index)
{
    return index < sm_report_count(device) ? &device->check->reports[index]->plain : nullptr;
}

bool sm_device_checks(const struct sm_device *device)
{
    return device->check != nullptr;
}

void sm_report_add(struct sm_device *device, const struct sm_report *report)
{
    if (device->check) {
        device->check->add(*report);
    }
}

int sm_check_exit(const struct sm_device *device, int status)
{
    return sm_report_count(device) ? SM_CHECK_STATUS : status;
}
