// Sums of counters, the names in them, and what the host can ask.
#include <cstdio>

#include "count/count.h"
#include "runtime/device.h"

namespace softmetal
{

void add_traffic(sm_traffic &to, const sm_traffic &more)
{
    to.bytes += more.bytes;
    to.distinct_threadgroup += more.distinct_threadgroup;
    to.distinct_launch += more.distinct_launch;
    to.distinct_command_buffer += more.distinct_command_buffer;
    to.accesses += more.accesses;
    to.lines += more.lines;
}

size_t counted_list::place(const char *name, int index)
{
    auto found = places.try_emplace({name, index}, all.size());
    if (found.second) {
        sm_counted c = {};
        c.name = name;
        c.index = index;
        all.push_back(c);
    }
    return found.first->second;
}

void count_record::add(const count_record &other, bool by_index)
{
    static uint64_t sm_counters::*const numbers[] = {
        &sm_counters::launches,
        &sm_counters::threadgroups,
        &sm_counters::barriers,
        &sm_counters::simdgroup_barriers,
        &sm_counters::simd_operations,
        &sm_counters::matrix_loads,
        &sm_counters::matrix_stores,
        &sm_counters::matrix_multiplies,
        &sm_counters::copies,
        &sm_counters::copied_bytes,
        &sm_counters::fills,
        &sm_counters::filled_bytes,
        &sm_counters::threadgroup_loaded,
        &sm_counters::threadgroup_stored,
    };
    for (auto n : numbers) {
        total.*n += other.total.*n;
    }
    add_traffic(total.loads, other.total.loads);
    add_traffic(total.stores, other.total.stores);
    auto add_list = [&](counted_list &to, const counted_list &from, bool keep_index) {
        for (const sm_counted &c : from.all) {
            sm_counted &mine = to.all[to.place(c.name, keep_index ? c.index : -1)];
            mine.bytes = c.bytes;
            add_traffic(mine.loads, c.loads);
            add_traffic(mine.stores, c.stores);
        }
    };
    add_list(buffers, other.buffers, by_index);
    add_list(ranges, other.ranges, true);
    finish();
}

void count_record::finish()
{
    total.buffers = buffers.all.data();
    total.buffer_count = buffers.all.size();
    total.ranges = ranges.all.data();
    total.range_count = ranges.all.size();
}

counter::counter(std::unique_ptr<count_file> to) : file(std::move(to))
{
    if (file) {
        write_at_exit(this);
    }
}

counter::~counter()
{
    if (file) {
        forget_at_exit(this);
        std::string error;
        if (!write_kernels(error)) {
            std::fprintf(stderr, "softmetal: %s\n", error.c_str());
        }
    }
}

const char *counter::keep(const char *name)
{
    std::lock_guard<std::mutex> guard(kept_lock);
    return kept.insert(name).first->c_str();
}

void counter::name_buffer(const void *owner, uintptr_t address, size_t bytes, const char *label)
{
    const char *name = label ? keep(label) : nullptr;
    std::lock_guard<std::mutex> guard(names_lock);
    buffer_names.remove(owner);
    if (name && bytes) {
        buffer_names.add(owner, address, address + bytes, name);
    }
}

void counter::name_range(const void *owner, uintptr_t address, size_t bytes, const char *name)
{
    const char *same = keep(name);
    std::lock_guard<std::mutex> guard(names_lock);
    if (bytes) {
        range_names.add(owner, address, address + bytes, same);
    }
}

void counter::forget_ranges(const void *owner)
{
    std::lock_guard<std::mutex> guard(names_lock);
    range_names.remove(owner);
}

const sm_counters *counter::kernel(size_t index)
{
    std::lock_guard<std::mutex> guard(kernels_lock);
    return index < kernels.size() ? &kernels[index].total : nullptr;
}

bool counter::write_kernels(std::string &error)
{
    std::string lines;
    {
        std::lock_guard<std::mutex> guard(kernels_lock);
        for (size_t i = 0; unwritten && file && i < kernels.size(); i++) {
            lines += json_of_kernel(kernels[i].total) + "\n";
        }
        unwritten = false;
    }
    return lines.empty() || file->write(lines, error);
}

bool counter::write_tally(const sm_tally &t, bool completed, std::string &error)
{
    if (!file) {
        return true;
    }
    uint64_t number;
    {
        std::lock_guard<std::mutex> guard(kernels_lock);
        number = ++sequence;
    }
    return file->write(json_of_command_buffer(t, number, completed) + "\n", error);
}

} // namespace softmetal

using namespace softmetal;

void sm_name_buffer(struct sm_device *device, const void *owner, const void *address, size_t bytes,
                    const char *label)
{
    if (device->count) {
        device->count->name_buffer(owner, uintptr_t(address), bytes, label);
    }
}

void sm_name_range(struct sm_device *device, const void *owner, const void *address, size_t bytes,
                   const char *name)
{
    if (device->count && name) {
        device->count->name_range(owner, uintptr_t(address), bytes, name);
    }
}

void sm_forget_ranges(struct sm_device *device, const void *owner)
{
    if (device->count) {
        device->count->forget_ranges(owner);
    }
}

struct sm_tally *sm_tally_begin(struct sm_device *device, const char *label)
{
    if (!device->count) {
        return nullptr;
    }
    auto tally = std::make_unique<sm_tally>();
    tally->owner = device->count.get();
    tally->sum.total.name = device->count->keep(label ? label : "");
    return tally.release();
}

void sm_tally_copy(struct sm_tally *tally, size_t bytes)
{
    if (tally) {
        tally->sum.total.copies++;
        tally->sum.total.copied_bytes += bytes;
    }
}

void sm_tally_fill(struct sm_tally *tally, size_t bytes)
{
    if (tally) {
        tally->sum.total.fills++;
        tally->sum.total.filled_bytes += bytes;
    }
}

const struct sm_counters *sm_tally_counters(const struct sm_tally *tally)
{
    return tally ? &tally->sum.total : nullptr;
}

const struct sm_counters *sm_tally_launch(const struct sm_tally *tally, size_t index)
{
    return tally && index < tally->launches.size() ? &tally->launches[index].total : nullptr;
}

bool sm_tally_end(struct sm_tally *tally, bool completed, struct sm_error *error)
{
    std::string why;
    bool written = !tally || tally->owner->write_tally(*tally, completed, why);
    delete tally;
    return written || set_error(error, why);
}

const struct sm_counters *sm_kernel_counters(const struct sm_device *device, size_t index)
{
    return device->count ? device->count->kernel(index) : nullptr;
}

bool sm_counters_write(struct sm_device *device, struct sm_error *error)
{
    std::string why;
    return !device->count || device->count->write_kernels(why) || set_error(error, why);
}
