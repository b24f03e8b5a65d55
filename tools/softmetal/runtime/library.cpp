// Libraries and pipelines.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "runtime/device.h"

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
        kernel_facts facts = {};
        bool entry = data.shared->facts(r.kernel.name, facts);
        for (const kernel_argument &a : r.kernel.arguments) {
            enum sm_argument_kind kind = a.kind == arg::buffer        ? SM_ARGUMENT_BUFFER
                                         : a.kind == arg::threadgroup ? SM_ARGUMENT_THREADGROUP
                                                                      : SM_ARGUMENT_BUILTIN;
            unsigned index = entry ? facts.codes[list.size()] & 255 : a.index;
            size_t bytes = entry && kind == SM_ARGUMENT_BUFFER ? facts.bytes[list.size()] : 0;
            list.push_back(
                {a.name.c_str(), a.type.c_str(), kind, index, a.writable, a.optional, bytes});
        }
        data.arguments.push_back(list);
        data.records.push_back(&r.kernel);
    }
    for (size_t i = 0; i < data.records.size(); i++) {
        const kernel_record &k = *data.records[i];
        kernel_facts facts = {};
        data.shared->facts(k.name, facts);
        data.functions.push_back({k.name.c_str(), k.file.c_str(), k.line, data.arguments[i].data(),
                                  data.arguments[i].size(), facts.threadgroup_bytes,
                                  facts.max_threads});
    }
}

bool compile_and_load(const compile_request &request, library_data &data, std::string &error)
{
    data.compiled = data.backend->compile(request);
    error = data.compiled.error;
    if (!error.empty() || data.compiled.object.empty()) {
        return error.empty();
    }
    data.shared = data.backend->load(data.compiled, data.watched, error);
    return data.shared != nullptr;
}

bool load(struct sm_device *device, compile_request request,
          const struct sm_compile_options *options, struct sm_library **library,
          struct sm_error *error)
{
    request.check = device->watch != nullptr;
    for (size_t i = 0; options && i < options->include_count; i++) {
        request.include_dirs.push_back(options->include_dirs[i]);
    }
    for (size_t i = 0; options && i < options->define_count; i++) {
        request.defines.push_back(options->defines[i]);
    }
    auto data = std::make_shared<library_data>();
    data->watched = request.check;
    data->backend = device->backend.get();
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

bool all_defined(const program &p, const kernel_record &k, std::string &error)
{
    sm_constant_info e;
    bool defined;
    for (size_t i = 0; p.constant(i, e, defined); i++) {
        bool used = std::find(k.constants.begin(), k.constants.end(), e.name) != k.constants.end();
        bool may_be_missing = std::find(k.constants.begin(), k.constants.end(),
                                        std::string("?") + e.name) != k.constants.end();
        if (used && !may_be_missing && !defined) {
            error = "kernel '" + k.name + "' uses function constant '" + e.name + "' (index " +
                    std::to_string(e.index) + "), which has no value";
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
    const program *p = library->data->shared.get();
    sm_constant_info e, earlier;
    bool defined;
    for (size_t i = 0; p && p->constant(i, e, defined); i++) {
        size_t same = 0;
        while (p->constant(same, earlier, defined) && std::strcmp(earlier.name, e.name) != 0) {
            same++;
        }
        if (same == i && index-- == 0) {
            *info = e;
            return true;
        }
    }
    return false;
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
    std::shared_ptr<program> p = data->shared;
    if (!k.constants.empty()) {
        p = data->backend->load(data->compiled, data->watched, why);
        if (!p || !p->set_constants(constants, constant_count, why) || !all_defined(*p, k, why)) {
            return set_error(error, why);
        }
    }
    kernel_facts facts;
    if (!p->facts(k.name, facts)) {
        return set_error(error, std::string("the kernel object lacks '") + function + "'");
    }
    auto made = std::make_unique<sm_pipeline>();
    made->data = data;
    made->program = p;
    made->handle = facts.handle;
    made->function = f;
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
