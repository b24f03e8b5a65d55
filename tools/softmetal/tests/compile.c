/* The compiler path: arguments, sizes, cache, function constants, the limits of a dispatch. */
#include "support.h"

#include <sys/stat.h>
#include <unistd.h>

#define HEAD "#include <metal_stdlib>\nusing namespace metal;\n"

/* ---- arguments ---------------------------------------------------------------------------------- */

Test(softmetal_compile, arguments)
{
    const char *source = HEAD
        "#define SLOT 4 + 1\n"
        "struct args { int a; };\n"
        "namespace inner {\n"
        "kernel void f(constant args &a, device const float *x, device float *y [[buffer(7)]],\n"
        "  constant float2 table[4], threadgroup half *s, device int *late [[buffer(SLOT)]],\n"
        "  uint3 g [[threadgroup_position_in_grid]], threadgroup float *t [[threadgroup(3)]])\n"
        "{ y[g.x] = x[0] + a.a + table[1].y + s[0] + t[0] + late[0]; }\n"
        "}\n"
        "[[host_name(\"other\")]] kernel void g(device float *x) { x[0] = 1; }\n";
    static const struct sm_argument want[] = {
        {"a", "", SM_ARGUMENT_BUFFER, 0, false, false, 4},
        {"x", "", SM_ARGUMENT_BUFFER, 1, false, false, 0},
        {"y", "", SM_ARGUMENT_BUFFER, 7, true, false, 0},
        {"table", "", SM_ARGUMENT_BUFFER, 2, false, false, 0},
        {"s", "", SM_ARGUMENT_THREADGROUP, 0, false, false, 0},
        {"late", "", SM_ARGUMENT_BUFFER, 5, true, false, 0},
        {"g", "", SM_ARGUMENT_BUILTIN, 0, false, false, 0},
        {"t", "", SM_ARGUMENT_THREADGROUP, 3, false, false, 0},
    };
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    const struct sm_function *f = sm_library_find(library, "f");
    cr_assert(f != NULL);
    cr_expect(f->line == 6 && strcmp(f->file, "program_source") == 0, "%s:%d", f->file, f->line);
    cr_assert(f->argument_count == 8, "%zu", f->argument_count);
    for (size_t i = 0; i < 8; i++) {
        const struct sm_argument *a = &f->arguments[i];
        cr_expect(strcmp(a->name, want[i].name) == 0 && a->kind == want[i].kind &&
                      a->index == want[i].index && a->writable == want[i].writable &&
                      a->bytes == want[i].bytes,
                  "argument %zu: %s kind %d index %u writable %d bytes %zu", i, a->name, a->kind,
                  a->index, a->writable, a->bytes);
    }
    cr_expect(sm_library_find(library, "other") != NULL);
    cr_expect(sm_library_find(library, "g") == NULL, "a host name replaces the function's");
    cr_expect(sm_library_function(library, 2) == NULL);
    sm_library_free(library);
    sm_device_close(device);
}

/* Kernels named like functions of metal, at every scope and as templates. */
Test(softmetal_compile, names_of_metal)
{
    const char *source =
        HEAD "kernel void step(device float *x) { x[0] = step(1.0f, 2.0f); }\n"
             "namespace a { namespace b {\n"
             "kernel void clamp(device float *x) { x[0] = metal::clamp(9.0, 0.0, 2.0); }\n"
             "template <typename T> kernel void floor(device T *x) { x[0] = 3; }\n"
             "template [[host_name(\"floor_float\")]] kernel void floor<float>(device float *x);\n"
             "} }\n"
             "namespace c { template <typename T> kernel void floor(device T *x, constant int &n)\n"
             "{ x[0] = n; } }\n"
             "template <typename T> kernel void max(device T *x) { x[0] = 4; }\n"
             "template [[host_name(\"max_float\")]] kernel void max<float>(device float *x);\n"
             "template [[host_name(\"outer\")]] kernel void a::b::floor<float>(device float *x);\n";
    static const struct {
        const char *name;
        float want;
    } kernels[] = {{"step", 1}, {"clamp", 2}, {"floor_float", 3}, {"max_float", 4}, {"outer", 3}};
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        struct sm_pipeline *pipeline = pipeline_of(library, kernels[i].name);
        float x = 0;
        struct sm_dispatch d = dispatch_of(pipeline, 1, 1);
        d.buffers[0] = &x;
        run(device, &d);
        cr_expect(x == kernels[i].want, "%s gives %g", kernels[i].name, (double)x);
        sm_pipeline_free(pipeline);
    }
    sm_library_free(library);
    sm_device_close(device);
}

/* What the host can know of a kernel before it runs, in templates too. */
Test(softmetal_compile, sizes)
{
    const char *source = HEAD
        "struct args { int a[5]; float4 v; };\n"
        "constexpr constant int WIDE = 3;\n"
        "kernel void plain(device float *x) { x[0] = 1; }\n"
        "[[max_total_threads_per_threadgroup(WIDE * 32)]]\n"
        "kernel void two(constant args &p, device uchar &b, device float *x) {\n"
        "  threadgroup float s[10]; { threadgroup half h; h = b; s[0] = h; }\n"
        "  x[0] = s[0] + p.a[0]; }\n"
        "template <typename T, short N = 2, void (*load)(device const T *, thread T &) = nullptr>\n"
        "[[kernel, max_total_threads_per_threadgroup(N * 64)]] void many(device T *x) {\n"
        "  constexpr short wide = N * 4; threadgroup T tile[wide][wide]; tile[0][0] = x[0];\n"
        "  if (load) load(x, tile[0][0]); x[0] = tile[0][0]; }\n"
        "void get(device const half *x, thread half &to) { to = x[1]; }\n"
        "template [[host_name(\"many_float\")]] kernel void many<float>(device float *);\n"
        "typedef decltype(many<half, 4, get>) many_type;\n"
        "template [[host_name(\"many_half\")]] kernel many_type many<half, 4, get>;\n"
        "template <typename... A> kernel void pack(device float *x)\n"
        "{ threadgroup uint counts[sizeof...(A)]; counts[0] = 1; x[0] = counts[0]; }\n"
        "template [[host_name(\"pack\")]] kernel void pack<int, float, half, int, int>(device "
        "float *);\n"
        "kernel void large(device float *x)\n"
        "{ threadgroup float a[8192]; threadgroup char b; a[0] = b = 1; x[0] = a[0]; }\n";
    static const struct {
        const char *name;
        size_t bytes;
        unsigned threads;
    } want[] = {{"plain", 0, 0},         {"two", 48 + 16, 96}, {"many_float", 256, 128},
                {"many_half", 512, 256}, {"pack", 32, 0},      {"large", 32784, 0}};
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct sm_function *f = sm_library_find(library, want[i].name);
        cr_assert(f != NULL, "%s", want[i].name);
        cr_expect(f->threadgroup_bytes == want[i].bytes && f->max_threads == want[i].threads,
                  "%s: %zu bytes, %u threads", f->name, f->threadgroup_bytes, f->max_threads);
    }
    const struct sm_function *two = sm_library_find(library, "two");
    cr_expect(two->arguments[0].bytes == 48 && two->arguments[1].bytes == 1 &&
                  two->arguments[2].bytes == 0,
              "%zu %zu %zu", two->arguments[0].bytes, two->arguments[1].bytes,
              two->arguments[2].bytes);
    struct sm_pipeline *pipeline = pipeline_of(library, "many_float");
    float x[2] = {5, 6};
    struct sm_dispatch d = dispatch_of(pipeline, 1, 128);
    d.buffers[0] = x;
    run(device, &d);
    struct sm_error error;
    d.threads[0] = 129;
    cr_expect(!sm_dispatch_run(device, &d, &error));
    cr_expect(strstr(error.message, "is 128") != NULL, "%s", error.message);
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

/* Every built-in, in 16 and 32 bits, of one to three dimensions, at the ragged edge of a grid. */
Test(softmetal_compile, builtins)
{
    const char *source = HEAD
        "kernel void f(device uint *out,\n"
        "uint3 p [[thread_position_in_grid]], ushort3 l [[thread_position_in_threadgroup]],\n"
        "ushort i [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],\n"
        "ushort s [[simdgroup_index_in_threadgroup]], uint2 g [[threadgroup_position_in_grid]],\n"
        "ushort2 tp [[threads_per_threadgroup]], uint3 grid [[threads_per_grid]],\n"
        "uint3 groups [[threadgroups_per_grid]], ushort w [[threads_per_simdgroup]],\n"
        "uint sp [[simdgroups_per_threadgroup]], uint w2 [[thread_execution_width]],\n"
        "uint3 dt [[dispatch_threads_per_threadgroup]],\n"
        "uint ds [[dispatch_simdgroups_per_threadgroup]],\n"
        "uint q [[quadgroup_index_in_threadgroup]], uint ql [[thread_index_in_quadgroup]],\n"
        "uint qn [[quadgroups_per_threadgroup]], uint3 o [[grid_origin]],\n"
        "uint2 size [[grid_size]])\n"
        "{ if (p.x != 20 || p.y != 8 || p.z != 1) return;\n"
        "uint v[] = {l.x, l.y, l.z, i, lane, s, g.x, g.y, tp.x, tp.y, grid.x, grid.z, groups.x,\n"
        "groups.y, w, sp, w2, dt.x, dt.y, ds, q, ql, qn, o.x, size.y};\n"
        "for (uint k = 0; k < 25; k++) out[k] = v[k]; }\n";
    static const uint32_t want[] = {4, 2,  0, 18, 18, 0, 1, 1, 7, 3, 23, 2, 2,
                                    2, 32, 1, 32, 16, 6, 3, 4, 2, 6, 0,  9};
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    uint32_t out[25] = {0};
    struct sm_dispatch d = {.pipeline = pipeline, .threads = {16, 6, 1}, .grid = {23, 9, 2}};
    d.buffers[0] = out;
    run(device, &d);
    for (size_t i = 0; i < 25; i++) {
        cr_expect(out[i] == want[i], "value %zu is %u, expected %u", i, out[i], want[i]);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

/* ---- function constants -------------------------------------------------------------------------- */

Test(softmetal_compile, function_constants)
{
    const char *source =
        HEAD "#define BASE 10\n"
             "constant int needed [[function_constant(BASE + 2)]];\n"
             "constant float4 asked [[function_constant(1)]];\n"
             "constant bool has_asked = is_function_constant_defined(asked);\n"
             "constant float base = has_asked ? asked.y : -1.0;\n"
             "constant float twice = base * 2.0;\n"
             "float through() { return twice; }\n"
             "kernel void f(device float *x, device float *o [[buffer(1), "
             "function_constant(has_asked)]])\n"
             "{ x[0] = needed; x[1] = through(); if (has_asked) o[0] = asked.w; }\n"
             "kernel void plain(device float *x) { x[0] = 5; }\n";
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipelines[2] = {NULL, NULL}, *none = NULL;
    struct sm_error error;
    const int32_t needed[] = {7, 8};
    const float asked[] = {1, 2, 3, 4};
    for (int i = 0; i < 2; i++) {
        const struct sm_constant values[] = {
            {.index = 12, .value = &needed[i], .bytes = 4},
            {.name = "asked", .value = asked, .bytes = 16},
        };
        cr_assert(sm_pipeline_make(library, "f", values, 1 + (size_t)i, &pipelines[i], &error),
                  "%s", error.message);
    }
    const struct sm_constant wrong = {.index = 12, .value = asked, .bytes = 16};
    cr_expect(!sm_pipeline_make(library, "f", &wrong, 1, &none, &error));
    cr_expect(strstr(error.message, "needed") != NULL, "%s", error.message);
    cr_expect(!sm_pipeline_make(library, "f", NULL, 0, &none, &error), "a required constant");
    cr_expect(strstr(error.message, "needed") && strstr(error.message, "12"), "%s", error.message);
    cr_expect(sm_pipeline_make(library, "plain", NULL, 0, &none, &error), "%s", error.message);
    struct sm_constant_info info;
    size_t count = 0;
    while (sm_library_constant(library, count, &info)) {
        count++;
        cr_expect(strcmp(info.name, "asked") != 0 ||
                  (info.index == 1 && info.type == SM_FLOAT && info.components == 4));
    }
    cr_expect(count == 2, "%zu constants", count);
    sm_library_free(library); /* pipelines outlive their library */
    for (int i = 0; i < 2; i++) {
        float x[2] = {0}, o = -9;
        struct sm_dispatch d = dispatch_of(pipelines[i], 1, 1);
        d.buffers[0] = x;
        d.buffers[1] = i ? &o : NULL;
        run(device, &d);
        cr_expect(x[0] == (float)needed[i] && x[1] == (i ? 4.0f : -2.0f) && (!i || o == 4),
                  "pipeline %d: %g %g %g", i, (double)x[0], (double)x[1], (double)o);
        sm_pipeline_free(pipelines[i]);
    }
    sm_pipeline_free(none);
    sm_device_close(device);
}

/* A file of so many kernels that it is compiled in parts: constants, helpers and tables are in every
 * part, a template that fails for one type fails the kernels of that type alone. */
Test(softmetal_compile, parts)
{
    enum { KERNELS = 70 };
    static char source[65536];
    char *at = source;
    at += sprintf(at, HEAD "constant int factor [[function_constant(0)]];\n"
                           "constant int twice = factor * 2;\n"
                           "constant float table[3] = {1.0, 2.0, 3.0};\n"
                           "float helper(float x) { return x * twice + table[1]; }\n"
                           "template <typename T> T rest(T a, T b) { return a %% b; }\n"
                           "template <typename T, int N> kernel void f(device T *x)\n"
                           "{ x[0] = T(helper(N)); }\n"
                           "template <typename T, int N> kernel void g(device T *x)\n"
                           "{ x[0] = rest(x[0], T(N)); }\n");
    for (int i = 0; i < KERNELS; i++) {
        at += sprintf(
            at,
            "template [[host_name(\"f%d\")]] kernel void f<float, %d>(device float *);\n"
            "template [[host_name(\"g_int%d\")]] kernel void g<int, %d>(device int *);\n"
            "template [[host_name(\"g_half%d\")]] kernel void g<half, %d>(device half *);\n",
            i, i, i, i + 1, i, i + 1);
    }
    struct sm_device *device = open_device();
    struct sm_library *library = NULL;
    struct sm_error error;
    struct sm_constant_info info;
    cr_assert(sm_library_from_source(device, source, NULL, &library, &error), "%s", error.message);
    cr_expect(sm_library_constant(library, 0, &info) && !sm_library_constant(library, 1, &info));
    for (int i = 0; i < KERNELS; i++) {
        char name[16];
        snprintf(name, sizeof name, "g_half%d", i);
        const char *message = failure_of(library, name);
        cr_expect(message && strncmp(message, "program_source:7: ", 18) == 0, "%s: %s", name,
                  message ? message : "compiled");
        snprintf(name, sizeof name, "g_int%d", i);
        cr_expect(sm_library_find(library, name) != NULL, "%s: %s", name,
                  failure_of(library, name));
        snprintf(name, sizeof name, "f%d", i);
        const int32_t factor = i;
        const struct sm_constant constant = {.name = "factor", .value = &factor, .bytes = 4};
        struct sm_pipeline *pipeline = NULL;
        cr_assert(sm_pipeline_make(library, name, &constant, 1, &pipeline, &error), "%s",
                  error.message);
        float x = 0;
        struct sm_dispatch d = dispatch_of(pipeline, 1, 1);
        d.buffers[0] = &x;
        run(device, &d);
        cr_expect(x == (float)(2 * i * i + 2), "%s gives %g", name, (double)x);
        sm_pipeline_free(pipeline);
    }
    sm_library_free(library);
    sm_device_close(device);
}

/* ---- limits -------------------------------------------------------------------------------------- */

static void refused(struct sm_device *device, const struct sm_dispatch *d, const char *what)
{
    struct sm_error error;
    cr_expect(!sm_dispatch_run(device, d, &error), "not refused: %s", what);
    cr_expect(strstr(error.message, what) != NULL, "'%s' does not say '%s'", error.message, what);
}

Test(softmetal_compile, limits)
{
    const char *source = HEAD "kernel void f(device float *x, threadgroup float *t) {\n"
                              "threadgroup float fixed[4096];\n"
                              "fixed[0] = 1; t[0] = 2; x[0] = fixed[0] + t[0]; }\n";
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    float x = 0;
    struct sm_dispatch good = dispatch_of(pipeline, 1, 64);
    good.buffers[0] = &x;
    good.threadgroup_bytes[0] = 16384;
    run(device, &good);
    cr_expect(x == 3);
    struct sm_dispatch d = good;
    d.buffers[0] = NULL;
    refused(device, &d, "buffer 0 ('x')");
    d = good;
    d.threadgroup_bytes[0] = 0;
    refused(device, &d, "threadgroup memory 0 ('t')");
    d.threadgroup_bytes[0] = 20;
    refused(device, &d, "multiple of 16");
    d.threadgroup_bytes[0] = 32784;
    refused(device, &d, "32768");
    d.threadgroup_bytes[0] = 16400; /* together with the static array */
    refused(device, &d, "32768");
    d = good;
    d.threads[1] = 17;
    refused(device, &d, "1088");
    d.threads[1] = 0;
    refused(device, &d, "[1]");
    d = good;
    x = 0;
    run(device, &d); /* the device works on after errors */
    cr_expect(x == 3);
    d.groups[1] = 0;
    x = 0;
    run(device, &d);
    cr_expect(x == 0, "an empty grid runs nothing");
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

/* ---- files, includes, cache ---------------------------------------------------------------------- */

static float run_file(struct sm_device *device, const char *path, const char *define, bool *cached)
{
    const char *dirs[] = {"build/tmp"};
    const struct sm_compile_options options = {dirs, 1, &define, define ? 1 : 0};
    struct sm_library *library = NULL;
    struct sm_error error;
    cr_assert(sm_library_from_file(device, path, &options, &library, &error), "%s", error.message);
    *cached = sm_library_cached(library);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    float x = 0;
    struct sm_dispatch d = dispatch_of(pipeline, 1, 1);
    d.buffers[0] = &x;
    run(device, &d);
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    return x;
}

/* Garbage or the beginning in place of every file of that kind; a new file each, for the old one
 * may be mapped. */
static void damage(const char *cache, const char *suffix, size_t how)
{
    char command[512];
    static const char *const makers[] = {"echo garbage", "head -c 50 $f"};
    snprintf(command, sizeof command,
             "for f in %s/*%s; do %s > $f.new && mv $f.new $f || exit 1; done", cache, suffix,
             makers[how]);
    cr_assert(system(command) == 0, "%s", command);
}

Test(softmetal_compile, cache)
{
    char path[64], header[64], text[256], cache[64], command[256];
    mkdir("build/tmp", 0777);
    snprintf(path, sizeof path, "build/tmp/softmetal-%d.metal", (int)getpid());
    snprintf(header, sizeof header, "build/tmp/softmetal-%d.h", (int)getpid());
    snprintf(cache, sizeof cache, "build/tmp/softmetal-cache-%d", (int)getpid());
    snprintf(text, sizeof text,
             HEAD "#include <softmetal-%d.h>\n#ifndef PLUS\n#define PLUS 0\n#endif\n"
                  "kernel void f(device float *x) { x[0] = VALUE + PLUS; }\n",
             (int)getpid());
    put(path, text);
    put(header, "#define VALUE 3\n");
    const struct sm_device_options options = {.threads = 1, .cache = cache};
    struct sm_device *device = NULL;
    struct sm_error error;
    cr_assert(sm_device_open(&options, &device, &error), "%s", error.message);
    bool cached;
    cr_expect(run_file(device, path, NULL, &cached) == 3 && !cached, "cold");
    cr_expect(run_file(device, path, NULL, &cached) == 3 && cached, "again");
    cr_expect(run_file(device, path, "PLUS=2", &cached) == 5 && !cached, "another define");
    put(header, "#define VALUE 4\n");
    cr_expect(run_file(device, path, NULL, &cached) == 4 && !cached, "a changed include");
    put(header, "#define VALUE /* three */ 3\n");
    cr_expect(run_file(device, path, NULL, &cached) == 3 && cached, "the old text again");
    static const char *const suffixes[] = {".so", ".record", ".manifest", ".pch", ".pch.sum"};
    for (size_t i = 0; i < 2 * sizeof suffixes / sizeof *suffixes; i++) {
        const char *suffix = suffixes[i / 2];
        damage(cache, suffix, i % 2);
        float x = run_file(device, path, NULL, &cached);
        cr_expect(x == 3 && cached == (i >= 4), "damage %zu of %s: %g", i % 2, suffix, (double)x);
        cr_expect(run_file(device, path, NULL, &cached) == 3 && cached, "%s: mended", suffix);
    }
    put(header, "#define VALUE 6\n"); /* needs the library that was damaged last */
    cr_expect(run_file(device, path, NULL, &cached) == 6 && !cached, "after all damages");
    sm_device_close(device);
    snprintf(command, sizeof command, "rm -rf %s %s %s", path, header, cache);
    cr_expect(system(command) == 0);
}
