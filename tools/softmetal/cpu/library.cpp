// Libraries and pipelines: loading of kernel objects and their function constants.
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu/cache.h"
#include "cpu/device.h"
#include "front/process.h"
#include "check/watch.h"

namespace softmetal
{

bool set_error(struct sm_error *error, const std::string &message)
{
    if (error) {
        std::snprintf(error->message, sizeof error->message, "%s", message.c_str());
        error->timed_out = false;
    }
    return false;
}

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

namespace
{

void describe(library_data &data)
{
    for (const kernel_result &r : data.compiled.kernels) {
        if (!r.error.empty()) {
            data.failures.emplace_back(r.kernel.name, r.error);
            continue;
        }
        std::vector<sm_argument> list;
        const kernel_entry *entry = data.shared->find(r.kernel.name);
        for (const kernel_argument &a : r.kernel.arguments) {
            enum sm_argument_kind kind = a.kind == arg::buffer        ? SM_ARGUMENT_BUFFER
                                         : a.kind == arg::threadgroup ? SM_ARGUMENT_THREADGROUP
                                                                      : SM_ARGUMENT_BUILTIN;
            unsigned index = entry ? entry->codes[list.size()] & 255 : a.index;
            size_t bytes = entry && kind == SM_ARGUMENT_BUFFER ? entry->bytes[list.size()] : 0;
            list.push_back(
                {a.name.c_str(), a.type.c_str(), kind, index, a.writable, a.optional, bytes});
        }
        data.entries.push_back(entry);
        data.arguments.push_back(list);
        data.records.push_back(&r.kernel);
    }
    for (size_t i = 0; i < data.records.size(); i++) {
        const kernel_record &k = *data.records[i];
        const kernel_entry *entry = data.entries[i];
        data.functions.push_back({k.name.c_str(), k.file.c_str(), k.line, data.arguments[i].data(),
                                  data.arguments[i].size(), entry ? *entry->threadgroup_bytes : 0,
                                  entry ? entry->max_threads : 0});
    }
}

// An instrumented object tells every access.
void connect(const library_data &data, const module &m)
{
    if (data.watched) {
        watcher::install(*m.entry->hooks);
    }
}

bool compile_and_load(const compile_request &request, library_data &data, std::string &error)
{
    data.compiled = compile(request);
    error = data.compiled.error;
    if (!error.empty() || data.compiled.object.empty()) {
        return error.empty();
    }
    data.shared = std::make_shared<module>();
    if (!data.shared->load(data.compiled.object, data.compiled.sum, error)) {
        return false;
    }
    connect(data, *data.shared);
    return true;
}

bool load(struct sm_device *device, compile_request request,
          const struct sm_compile_options *options, struct sm_library **library,
          struct sm_error *error)
{
    request.headers = device->headers;
    request.compiler = device->compiler;
    request.cache = device->cache;
    request.check = device->watch != nullptr;
    for (size_t i = 0; options && i < options->include_count; i++) {
        request.include_dirs.push_back(options->include_dirs[i]);
    }
    for (size_t i = 0; options && i < options->define_count; i++) {
        request.defines.push_back(options->defines[i]);
    }
    auto data = std::make_shared<library_data>();
    data->watched = request.check;
    std::string why;
    if (!compile_and_load(request, *data, why)) {
        // What the cache had cannot be loaded: as if it had nothing.
        request.anew = data->compiled.cached;
        why = request.anew ? "" : why;
        if (!request.anew || !compile_and_load(request, *data, why)) {
            return set_error(error, why);
        }
    }
    describe(*data);
    *library = new sm_library{data};
    return true;
}

bool is_meant(const constant_entry &e, const struct sm_constant &c)
{
    return c.name ? std::strcmp(e.name, c.name) == 0 : e.index == c.index;
}

bool set_constants(const module &m, const struct sm_constant *constants, size_t count,
                   std::string &error)
{
    // An object made in parts has a constant several times. As in Metal, a value that nothing asks
    // for is no error.
    for (constant_entry *e = m.entry->constants; e; e = e->next) {
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
    for (derived_entry *d = m.entry->first_derived; d; d = d->next) {
        d->compute();
    }
    return true;
}

bool all_defined(const module &m, const kernel_record &k, std::string &error)
{
    for (const constant_entry *e = m.entry->constants; e; e = e->next) {
        bool used = std::find(k.constants.begin(), k.constants.end(), e->name) != k.constants.end();
        bool may_be_missing = std::find(k.constants.begin(), k.constants.end(),
                                        std::string("?") + e->name) != k.constants.end();
        if (used && !may_be_missing && !*e->defined) {
            error = "kernel '" + k.name + "' uses function constant '" + e->name + "' (index " +
                    std::to_string(e->index) + "), which has no value";
            return false;
        }
    }
    return true;
}

} // namespace
} // namespace softmetal

using namespace softmetal;

bool sm_library_from_file(struct sm_device *device, const char *path,
                          const struct sm_compile_options *options, struct sm_library **library,
                          struct sm_error *error)
{
    compile_request request;
    request.path = path;
    return load(device, request, options, library, error);
}

bool sm_library_from_source(struct sm_device *device, const char *source,
                            const struct sm_compile_options *options, struct sm_library **library,
                            struct sm_error *error)
{
    compile_request request;
    request.path = "program_source";
    request.text = source;
    request.from_text = true;
    return load(device, request, options, library, error);
}

void sm_library_free(struct sm_library *library)
{
    delete library;
}

const struct sm_function *sm_library_function(const struct sm_library *library, size_t index)
{
    const library_data &d = *library->data;
    return index < d.functions.size() ? &d.functions[index] : nullptr;
}

const struct sm_function *sm_library_find(const struct sm_library *library, const char *name)
{
    for (const sm_function &f : library->data->functions) {
        if (std::strcmp(f.name, name) == 0) {
            return &f;
        }
    }
    return nullptr;
}

bool sm_library_failure(const struct sm_library *library, size_t index, const char **name,
                        const char **message)
{
    const auto &failures = library->data->failures;
    if (index >= failures.size()) {
        return false;
    }
    *name = failures[index].first.c_str();
    *message = failures[index].second.c_str();
    return true;
}

bool sm_library_error(const struct sm_library *library, size_t index, const char **message)
{
    const std::vector<std::string> &errors = library->data->compiled.errors;
    if (index >= errors.size()) {
        return false;
    }
    *message = errors[index].c_str();
    return true;
}

bool sm_library_cached(const struct sm_library *library)
{
    return library->data->compiled.cached;
}

bool sm_library_constant(const struct sm_library *library, size_t index,
                         struct sm_constant_info *info)
{
    const module *m = library->data->shared.get();
    const constant_entry *first = m ? m->entry->constants : nullptr, *e = first;
    for (; e; e = e->next) {
        const constant_entry *same = first;
        while (same != e && std::strcmp(same->name, e->name) != 0) {
            same = same->next;
        }
        if (same == e && index-- == 0) {
            break;
        }
    }
    if (!e) {
        return false;
    }
    *info = {e->name, e->index, sm_scalar(e->type), e->components, e->bytes};
    return true;
}

bool sm_pipeline_make(struct sm_library *library, const char *function,
                      const struct sm_constant *constants, size_t constant_count,
                      struct sm_pipeline **pipeline, struct sm_error *error)
{
    std::shared_ptr<library_data> data = library->data;
    const sm_function *f = sm_library_find(library, function);
    if (!f) {
        for (const auto &failure : data->failures) {
            if (failure.first == function) {
                return set_error(error, failure.second);
            }
        }
        return set_error(error, std::string("no kernel '") + function + "' in the library");
    }
    const kernel_record &k = *data->records[size_t(f - data->functions.data())];
    std::string why;
    std::shared_ptr<module> m = data->shared;
    if (!k.constants.empty()) {
        m = std::make_shared<module>();
        if (!m->load(data->compiled.object, data->compiled.sum, why) ||
            !set_constants(*m, constants, constant_count, why) || !all_defined(*m, k, why)) {
            return set_error(error, why);
        }
        connect(*data, *m);
    }
    const kernel_entry *e = m->find(k.name);
    if (!e) {
        return set_error(error, std::string("the kernel object lacks '") + function + "'");
    }
    auto made = std::make_unique<sm_pipeline>();
    made->data = data;
    made->module = m;
    made->function = f;
    made->body = e->body;
    for (size_t i = 0; i < f->argument_count; i++) {
        const sm_argument &a = f->arguments[i];
        if (a.kind == SM_ARGUMENT_BUFFER && !a.optional) {
            made->buffers_needed |= 1u << a.index;
        }
    }
    *pipeline = made.release();
    return true;
}

void sm_pipeline_free(struct sm_pipeline *pipeline)
{
    delete pipeline;
}

const struct sm_function *sm_pipeline_function(const struct sm_pipeline *pipeline)
{
    return pipeline->function;
}
