// Reports of the checking mode: from an address in a kernel object to a line, each site once.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "check/check.h"
#include "front/process.h"

namespace softmetal
{
namespace
{

constexpr size_t max_reports = 1000;

const char *const kind_names[] = {
    "race",
    "race between threadgroups",
    "stray read",
    "stray write",
    "constant write",
    "uninitialised read",
    "divergent barrier",
    "divergent simd operation",
    "index outside of an array",
    "host read",
    "host write",
};

std::string triple_text(const uint32_t (&v)[3])
{
    return "(" + std::to_string(v[0]) + "," + std::to_string(v[1]) + "," + std::to_string(v[2]) +
           ")";
}

std::string memory_name(const memory_range &r, bool shared)
{
    if (r.index < 0) {
        return shared ? "of a threadgroup variable" : "memory behind a pointer";
    }
    return (shared ? "threadgroup memory " : "buffer ") + std::to_string(r.index);
}

std::string site_of(const std::string &kernel, const std::string &file, int line,
                    enum sm_report_kind kind)
{
    return kernel + " " + file + ":" + std::to_string(line) + " " + kind_names[kind];
}

} // namespace

// The return addresses of a stack, as offsets in the kernel object, innermost first.
std::vector<uintptr_t> checker::chain(const void *frame) const
{
    std::vector<uintptr_t> list;
    uintptr_t at = uintptr_t(frame);
    while (list.size() < 8 && at - uintptr_t(g) < arena_bytes - 16 && at % 8 == 0) {
        const uintptr_t *f = reinterpret_cast<const uintptr_t *>(at);
        if (f[1] - object_begin >= object_end - object_begin) {
            break;
        }
        list.push_back(f[1] - object_begin - 1);
        if (f[0] <= at) {
            break;
        }
        at = f[0];
    }
    return list;
}

// The innermost line that is not of the MSL library.
checker::place checker::locate(const std::vector<uintptr_t> &addresses) const
{
    std::vector<std::string> command = {"addr2line", "-i", "-e", object_path};
    for (uintptr_t a : addresses) {
        char hex[32];
        std::snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(a));
        command.push_back(hex);
    }
    // On a stack of its own: little may be left of the fiber's.
    run_result found;
    std::thread([&] { found = softmetal::run(command); }).join();
    std::istringstream lines(found.out);
    for (std::string line; std::getline(lines, line);) {
        line = line.substr(0, line.find(" (discriminator"));
        size_t colon = line.rfind(':');
        int number = colon == std::string::npos ? 0 : std::atoi(line.c_str() + colon + 1);
        std::string file = line.substr(0, colon);
        file = file.compare(0, 2, "./") == 0 ? file.substr(2) : file;
        if (number > 0 && file.find("softmetal-item-") == std::string::npos &&
            file.compare(0, headers.size(), headers) != 0) {
            return {file, number};
        }
    }
    return {};
}

// The parts of the report, and all of it in words.
void checker::compose(const finding &f, const place &at, kept_report &kept)
{
    const thread &who = f.who ? *f.who : *now;
    sm_report &r = kept.plain;
    r = {};
    r.kind = f.kind;
    r.line = at.line;
    r.thread = who.index;
    r.lane = who.lane;
    r.buffer = r.threadgroup = -1;
    std::copy(std::begin(g->position), std::end(g->position), r.group);
    kept.kernel = dispatch->pipeline->function->name;
    kept.file = at.file;
    std::string &text = kept.message;
    text = at.file + ":" + std::to_string(at.line) + ": " + kind_names[f.kind] + " in kernel '" +
           kept.kernel + "': threadgroup " + triple_text(g->position) + " thread " +
           std::to_string(who.index) + " (simdgroup " + std::to_string(who.simd->index) + " lane " +
           std::to_string(who.lane) + ") " + f.text;
    if (f.range) {
        bool shared = f.range >= blocks.data() && f.range < blocks.data() + blocks.size();
        r.offset = int64_t(f.address) - int64_t(f.range->begin);
        (shared ? r.threadgroup : r.buffer) = f.range->index;
        text += ", " + memory_name(*f.range, shared) + " at byte " + std::to_string(r.offset);
        if (!f.range->open_ended) {
            text += " of " + std::to_string(f.range->end - f.range->begin);
        }
    }
    if (f.other) {
        place from = locate({f.other->site - 1});
        text += ", by thread " + std::to_string(uint32_t(f.other->thread)) +
                (f.other->group == serial ? "" : " of another threadgroup");
        text += from.line ? " at " + from.file + ":" + std::to_string(from.line) : "";
    }
}

const checker::kept_report *checker::tell(const finding &f)
{
    std::vector<uintptr_t> addresses = chain(f.frame);
    uint64_t key = std::hash<std::string>()(object_path) + uint64_t(f.kind);
    for (uintptr_t a : addresses) {
        key = (key ^ a) * 0x100000001b3u;
    }
    auto known = seen.find(key);
    if (known != seen.end()) {
        return known->second;
    }
    const sm_function &k = *dispatch->pipeline->function;
    place at = locate(addresses);
    at.file = at.line ? at.file : k.file;
    at.line = at.line ? at.line : k.line;
    std::lock_guard<std::mutex> one(report_lock);
    const kept_report *&told_there = told[site_of(k.name, at.file, at.line, f.kind)];
    if (!told_there && reports.size() < max_reports) {
        reports.push_back(std::make_unique<kept_report>());
        compose(f, at, *reports.back());
        told_there = reports.back().get();
        publish(*reports.back());
    }
    return seen[key] = told_there;
}

void checker::publish(kept_report &kept)
{
    kept.plain.kernel = kept.kernel.c_str();
    kept.plain.file = kept.file.c_str();
    kept.plain.message = kept.message.c_str();
    if (callback) {
        callback(callback_context, &kept.plain);
    }
    if (aloud) {
        fail_process();
        std::fprintf(stderr, "softmetal: %s\n", kept.message.c_str());
    }
}

void checker::add(const sm_report &report)
{
    std::lock_guard<std::mutex> one(report_lock);
    const kept_report *&told_there =
        told[site_of(report.kernel, report.file, report.line, report.kind)];
    if (told_there || reports.size() >= max_reports) {
        return;
    }
    reports.push_back(std::make_unique<kept_report>());
    kept_report &kept = *reports.back();
    told_there = &kept;
    kept.plain = report;
    kept.kernel = report.kernel;
    kept.file = report.file;
    kept.message = report.message;
    publish(kept);
}

} // namespace softmetal
