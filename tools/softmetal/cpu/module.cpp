// Loading of kernel objects, and their function constants.
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "cpu/cache.h"
#include "cpu/cpu.h"
#include "front/process.h"

namespace softmetal
{

module::~module()
{
    if (handle) {
        dlclose(handle);
    }
}

namespace
{

// The extent of the loaded object that contains an address: from begin to end of the module.
int find_image(dl_phdr_info *info, size_t, void *to)
{
    module &m = *static_cast<module *>(to);
    uintptr_t inside = reinterpret_cast<uintptr_t>(m.entry), begin = UINTPTR_MAX, end = 0;
    for (unsigned k = 0; k < info->dlpi_phnum; k++) {
        const auto &h = info->dlpi_phdr[k];
        if (h.p_type == PT_LOAD) {
            begin = std::min<uintptr_t>(begin, info->dlpi_addr + h.p_vaddr);
            end = std::max<uintptr_t>(end, info->dlpi_addr + h.p_vaddr + h.p_memsz);
        }
    }
    if (inside < begin || inside >= end) {
        return 0;
    }
    m.begin = begin;
    m.end = end;
    return 1;
}

} // namespace

// What is loaded is a copy of the bytes that were looked at. The loader shares an object between
// callers by its file, so each has a file of its own besides.
bool module::load(const std::string &path, const std::string &sum, std::string &error)
{
    std::string file = temporary_name(path, ".so"), bytes;
    if (!read_own(path, bytes) || hash(bytes) != sum) {
        error = path + ": not the kernel object that was compiled";
        return false;
    }
    if (!write_file(file, bytes)) {
        error = path + ": cannot be copied";
        return false;
    }
    handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    const char *why = handle ? nullptr : dlerror();
    std::remove(file.c_str());
    if (!handle) {
        error = why ? why : "the kernel object cannot be loaded";
        return false;
    }
    entry = static_cast<library_entry *>(dlsym(handle, "softmetal_library"));
    if (!entry || entry->version != abi_version) {
        error = path + ": not a kernel object of this version";
        return false;
    }
    dl_iterate_phdr(find_image, this);
    return true;
}

const kernel_entry *module::find(const std::string &name) const
{
    const kernel_entry *k = entry->kernels;
    while (k && name != k->name) {
        k = k->next;
    }
    return k;
}

bool module::facts(const std::string &kernel, kernel_facts &facts) const
{
    const kernel_entry *k = find(kernel);
    if (k) {
        facts = {k->codes, k->bytes, *k->threadgroup_bytes, k->max_threads, k};
    }
    return k != nullptr;
}

bool module::constant(size_t index, sm_constant_info &info, bool &defined) const
{
    const constant_entry *e = entry->constants;
    for (; e && index > 0; index--) {
        e = e->next;
    }
    if (e) {
        info = {e->name, e->index, sm_scalar(e->type), e->components, e->bytes};
        defined = *e->defined;
    }
    return e != nullptr;
}

static bool is_meant(const constant_entry &e, const struct sm_constant &c)
{
    return c.name ? std::strcmp(e.name, c.name) == 0 : e.index == c.index;
}

bool module::set_constants(const sm_constant *constants, size_t count, std::string &error)
{
    // An object made in parts has a constant several times. As in Metal, a value that nothing asks
    // for is no error.
    for (constant_entry *e = entry->constants; e; e = e->next) {
        for (size_t i = 0; i < count; i++) {
            if (!is_meant(*e, constants[i])) {
                continue;
            }
            if (e->bytes != constants[i].bytes) {
                error = std::string("function constant '") + e->name + "' has " +
                        std::to_string(e->bytes) + " bytes, not " +
                        std::to_string(constants[i].bytes);
                return false;
            }
            std::memcpy(e->value, constants[i].value, e->bytes);
            *e->defined = true;
        }
    }
    for (derived_entry *d = entry->first_derived; d; d = d->next) {
        d->compute();
    }
    return true;
}

} // namespace softmetal
