/* The checking mode: planted faults are found, each at its line, and the same kernels without the
 * fault stay silent. The faults are marked in faults/. */
#include "support.h"

#define FOLDER TESTS "/faults/"

enum { THREADS = 128, SEEDS = 20 };

struct planted {
    const char *file, *kernel;
    uint32_t groups;
    size_t bytes[2]; /* of buffers 0 and 1 */
};

#define RACES FOLDER "races.metal"
#define MEMORY FOLDER "memory.metal"
#define DIVERGENCE FOLDER "divergence.metal"

static const struct planted faults[] = {
    {RACES, "missing_barrier", 1, {512, 4}},
    {RACES, "wrong_flag", 1, {512, 4}},
    {RACES, "missing_simd_barrier", 1, {512, 512}},
    {RACES, "simd_barrier_for_group", 1, {512, 512}},
    {RACES, "reuse", 1, {512, 512}},
    {RACES, "count_groups", 5, {4, 4}},
    {RACES, "overlap", 3, {768, 4}},
    {RACES, "plain_beside_atomic", 1, {512, 4}},
    {RACES, "bytes", 1, {128, 4}},
    {RACES, "tile_too_early", 1, {256, 1024}},
    {MEMORY, "read_past_end", 1, {512, 512}},
    {MEMORY, "write_past_end", 1, {400, 4}},
    {MEMORY, "read_before_start", 1, {512, 512}},
    {MEMORY, "vector_past_end", 1, {512, 512}},
    {MEMORY, "threadgroup_past_end", 1, {512, 4}},
    {MEMORY, "static_past_end", 1, {512, 4}},
    {MEMORY, "write_constant", 1, {512, 512}},
    {MEMORY, "write_const_device", 1, {512, 512}},
    {MEMORY, "uninitialised", 1, {512, 4}},
    {MEMORY, "left_over", 2, {8, 4}},
    {MEMORY, "tile_past_end", 1, {256, 1024}},
    {MEMORY, "own_array_past_end", 1, {512, 4}},
    {MEMORY, "member_before_start", 1, {512, 4}},
    {DIVERGENCE, "barrier_after_return", 1, {512, 4}},
    {DIVERGENCE, "barrier_in_branch", 1, {512, 4}},
    {DIVERGENCE, "sum_in_branch", 1, {512, 4}},
    {DIVERGENCE, "shuffle_in_loop", 1, {512, 4}},
    {DIVERGENCE, "matrix_in_branch", 1, {256, 1024}},
    {DIVERGENCE, "first_in_branch", 1, {512, 4}},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static const struct {
    const char *word;
    enum sm_report_kind kind;
} kinds[] = {
    {"race", SM_REPORT_RACE},
    {"groups", SM_REPORT_RACE_GROUPS},
    {"read", SM_REPORT_STRAY_READ},
    {"write", SM_REPORT_STRAY_WRITE},
    {"constant", SM_REPORT_CONSTANT_WRITE},
    {"uninitialised", SM_REPORT_UNINITIALISED},
    {"barrier", SM_REPORT_DIVERGENT_BARRIER},
    {"simd", SM_REPORT_DIVERGENT_SIMD},
    {"array", SM_REPORT_ARRAY_INDEX},
};

/* The line that carries the mark `// FAULT kernel kind`. */
static int marked_line(const struct planted *p, enum sm_report_kind *kind)
{
    char line[256], mark[128];
    snprintf(mark, sizeof mark, "// FAULT %s ", p->kernel);
    FILE *file = fopen(p->file, "r");
    cr_assert(file, "%s cannot be read", p->file);
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        const char *at = strstr(line, mark);
        for (size_t k = 0; at && k < sizeof kinds / sizeof kinds[0]; k++) {
            size_t length = strlen(kinds[k].word);
            if (strncmp(at + strlen(mark), kinds[k].word, length) == 0 &&
                at[strlen(mark) + length] == '\n') {
                fclose(file);
                *kind = kinds[k].kind;
                return number;
            }
        }
    }
    cr_assert(false, "%s: no mark of %s", p->file, p->kernel);
    return 0;
}

static struct sm_device *checking_device(uint64_t seed, uint64_t adversarial)
{
    struct sm_device *device = NULL;
    struct sm_error error;
    const struct sm_device_options options = {
        .threads = 1, .mode = SM_MODE_CHECK, .seed = seed, .adversarial = adversarial};
    cr_assert(sm_device_open(&options, &device, &error), "%s", error.message);
    return device;
}

static struct sm_library *library_in(struct sm_device *device, const char *file, bool fault)
{
    const char *define = "FAULT=1";
    const struct sm_compile_options options = {.defines = &define, .define_count = fault ? 1 : 0};
    struct sm_library *library = NULL;
    struct sm_error error;
    const char *name, *message;
    cr_assert(sm_library_from_file(device, file, &options, &library, &error), "%s", error.message);
    cr_assert(!sm_library_failure(library, 0, &name, &message), "%s: %s", name, message);
    return library;
}

/* In the middle of larger memory, so that a stray access that were missed harms nothing. */
static bool run_planted(struct sm_device *device, const struct planted *p, bool fault,
                        struct sm_error *error)
{
    float *memory[2];
    uint32_t n = (uint32_t)(p->bytes[0] / 4);
    struct sm_library *library = library_in(device, p->file, fault);
    struct sm_pipeline *pipeline = pipeline_of(library, p->kernel);
    struct sm_dispatch d = dispatch_of(pipeline, p->groups, THREADS);
    d.threadgroup_bytes[0] = d.threadgroup_bytes[1] = THREADS * 4;
    for (int i = 0; i < 2; i++) {
        memory[i] = calloc(4096, 4);
        cr_assert(memory[i], "no memory");
        d.buffers[i] = memory[i] + 1024;
        d.buffer_bytes[i] = p->bytes[i];
    }
    d.buffers[2] = &n;
    d.buffer_bytes[2] = sizeof n;
    bool ran = sm_dispatch_run(device, &d, error);
    free(memory[0]);
    free(memory[1]);
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    return ran;
}

static bool has_report(const struct sm_device *device, const struct planted *p, int line,
                       enum sm_report_kind kind)
{
    char start[256];
    snprintf(start, sizeof start, "%s:%d: ", p->file, line);
    for (size_t i = 0; i < sm_report_count(device); i++) {
        const struct sm_report *r = sm_report_get(device, i);
        if (r->kind == kind && r->line == line && strcmp(r->kernel, p->kernel) == 0 &&
            strcmp(r->file, p->file) == 0 && strncmp(r->message, start, strlen(start)) == 0) {
            return true;
        }
    }
    return false;
}

Test(softmetal_checking, faults_are_found_at_their_lines)
{
    for (size_t i = 0; i < FAULTS; i++) {
        const struct planted *p = &faults[i];
        struct sm_device *device = checking_device(7, 0);
        enum sm_report_kind kind = SM_REPORT_RACE;
        int line = marked_line(p, &kind);
        struct sm_error error;
        bool stray = kind == SM_REPORT_STRAY_READ || kind == SM_REPORT_STRAY_WRITE ||
                     kind == SM_REPORT_ARRAY_INDEX;
        bool ran = run_planted(device, p, true, &error);
        cr_expect_eq(ran, !stray, "%s: ran %d", p->kernel, ran);
        cr_expect(ran || strstr(error.message, p->kernel), "%s", error.message);
        const struct sm_report *first = sm_report_get(device, 0);
        cr_expect(has_report(device, p, line, kind), "%s:%d: %s not found; %zu reports, first: %s",
                  p->file, line, p->kernel, sm_report_count(device),
                  first ? first->message : "none");
        cr_expect_eq(sm_check_exit(device, 0), SM_CHECK_STATUS, "%s", p->kernel);
        sm_device_close(device);
    }
}

Test(softmetal_checking, correct_kernels_are_silent)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sm_device *device = checking_device(seed, seed % 2 ? 0 : seed);
        for (size_t i = 0; i < FAULTS; i++) {
            struct sm_error error;
            bool ran = run_planted(device, &faults[i], false, &error);
            cr_expect(ran, "seed %d: %s", (int)seed, error.message);
        }
        const struct sm_report *first = sm_report_get(device, 0);
        cr_expect(!first, "seed %d: %s", (int)seed, first ? first->message : "");
        cr_expect_eq(sm_check_exit(device, 3), 3, "the status of a silent device changed");
        sm_device_close(device);
    }
}

/* A float kernel over one threadgroup; returns out[0]. */
static float run_on(struct sm_device *device, const char *source, const float *in, size_t count)
{
    float out[128] = {0};
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    struct sm_dispatch d = dispatch_of(pipeline, 1, 32);
    float copy[128];
    memcpy(copy, in, count * sizeof *in);
    d.buffers[0] = copy;
    d.buffer_bytes[0] = sizeof copy;
    d.buffers[1] = out;
    d.buffer_bytes[1] = sizeof out;
    run(device, &d);
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    return out[0];
}

#define HEAD                                                                                       \
    "#include <metal_stdlib>\n"                                                                    \
    "using namespace metal;\n"                                                                     \
    "kernel void f(device const float *in, device float *out,\n"                                   \
    "              uint i [[thread_position_in_grid]]) {\n"

static const struct {
    const char *name, *source;
    double bound; /* of the relative error, for inputs of one sign */
} sums[] = {
    {"simd_sum", HEAD "float s = simd_sum(in[i]); if (i == 0) out[0] = s; }", 32e-7},
    {"matrix",
     HEAD "simdgroup_float8x8 a, b; simdgroup_load(a, in, 8); simdgroup_load(b, in + 64, 8);\n"
          "simdgroup_multiply(a, a, b); simdgroup_store(a, out, 8); }",
     16e-7},
    {"exp", HEAD "out[i] = exp(in[i]); }", 5e-7},
    {"fast::log2", HEAD "out[i] = fast::log2(in[i]); }", 2e-3},
    {"rsqrt", HEAD "out[i] = rsqrt(in[i]); }", 3e-7},
};

/* The answer moves with the seed, never further than the bound, and comes again with its seed. */
Test(softmetal_checking, adversarial_arithmetic_errs_within_bounds)
{
    float in[128];
    for (int i = 0; i < 128; i++) {
        in[i] = 1.0f + (float)((i * 37 + 11) % 101) / 97.0f;
    }
    for (size_t k = 0; k < sizeof sums / sizeof sums[0]; k++) {
        struct sm_device *device = checking_device(1, 0);
        float want = run_on(device, sums[k].source, in, 128);
        sm_device_close(device);
        int moved = 0;
        for (uint64_t seed = 1; seed <= 10; seed++) {
            float got[2];
            for (int again = 0; again < 2; again++) {
                device = checking_device(1, seed);
                got[again] = run_on(device, sums[k].source, in, 128);
                sm_device_close(device);
            }
            cr_expect_eq(got[0], got[1], "%s: seed %d gives %.9g and %.9g", sums[k].name, (int)seed,
                         (double)got[0], (double)got[1]);
            double error = fabs((double)got[0] - (double)want) / fabs((double)want);
            cr_expect(error <= sums[k].bound, "%s: seed %d is off by %g", sums[k].name, (int)seed,
                      error);
            moved += got[0] != want;
        }
        cr_expect(moved > 0, "%s never moved", sums[k].name);
    }
}

static void on_report(void *context, const struct sm_report *report)
{
    int *heard = context;
    cr_expect(report->message && report->line > 0, "an incomplete report");
    ++*heard;
}

/* The host hears of each site once; after a stray write the device goes on. */
Test(softmetal_checking, reports_and_what_follows)
{
    int heard = 0;
    struct sm_device *device = NULL;
    struct sm_error error;
    const struct sm_device_options options = {
        .threads = 1, .mode = SM_MODE_CHECK, .report = on_report, .report_context = &heard};
    cr_assert(sm_device_open(&options, &device, &error), "%s", error.message);
    const struct planted stray = {MEMORY, "write_past_end", 1, {400, 4}};
    const struct planted race = {RACES, "overlap", 3, {768, 4}};
    for (int times = 0; times < 3; times++) {
        cr_expect(!run_planted(device, &stray, true, &error), "the stray write was not stopped");
        cr_expect(strstr(error.message, "memory.metal:"), "no line: %s", error.message);
        cr_expect(run_planted(device, &race, true, &error), "%s", error.message);
        cr_expect(run_planted(device, &race, false, &error), "%s", error.message);
    }
    cr_expect_eq(heard, 2, "%d reports heard, expected each of two sites once", heard);
    cr_expect_eq(sm_report_count(device), 2, "%zu reports kept", sm_report_count(device));
    const struct sm_report *r = sm_report_get(device, 0);
    cr_expect_eq(r->buffer, 0, "buffer %d", r->buffer);
    cr_expect(r->offset >= 400 && r->offset < 512, "offset %lld", (long long)r->offset);
    cr_expect_eq(r->lane, r->thread % 32, "lane %u of thread %u", r->lane, r->thread);
    cr_expect(!sm_report_get(device, 2), "a report past the end");
    sm_device_close(device);
}

/* A device that the environment chose: reports are printed, and the process exits with 70. */
Test(softmetal_checking, environment, .exit_code = SM_CHECK_STATUS)
{
    setenv("SOFTMETAL_MODE", "sideways", 1);
    struct sm_device *device = NULL;
    struct sm_error error;
    cr_assert(!sm_device_open(NULL, &device, &error), "a mode that is none was taken");
    setenv("SOFTMETAL_MODE", "check", 1);
    setenv("SOFTMETAL_SEED", "3", 1);
    cr_assert(sm_device_open(NULL, &device, &error), "%s", error.message);
    freopen("/dev/null", "w", stderr);
    const struct planted race = {RACES, "overlap", 3, {768, 4}};
    cr_expect(run_planted(device, &race, true, &error), "%s", error.message);
    sm_device_close(device);
    exit(0);
}

/* Memory that the kernel reaches through a pointer in a buffer: stray, unless the host says so. */
Test(softmetal_checking, pointers_in_buffers)
{
    const char *source =
        "#include <metal_stdlib>\n"
        "using namespace metal;\n"
        "struct table { device float *row; };\n"
        "kernel void f(device const table &t, uint i [[thread_position_in_grid]])\n"
        "{\n"
        "    t.row[i % 16] = i;\n"
        "}\n";
    for (int follows = 0; follows < 2; follows++) {
        struct sm_device *device = checking_device(1, 0);
        struct sm_library *library = library_of(device, source);
        struct sm_pipeline *pipeline = pipeline_of(library, "f");
        float row[32] = {0};
        float *table = row;
        struct sm_dispatch d = dispatch_of(pipeline, 1, 32);
        d.buffers[0] = &table;
        d.buffer_bytes[0] = sizeof table;
        d.follows_pointers = follows;
        struct sm_error error;
        cr_expect_eq(sm_dispatch_run(device, &d, &error), follows, "follows %d", follows);
        const struct sm_report *r = sm_report_get(device, 0);
        enum sm_report_kind want = follows ? SM_REPORT_RACE : SM_REPORT_STRAY_WRITE;
        cr_expect(r && r->kind == want && r->line == 6, "%s", r ? r->message : "no report");
        sm_pipeline_free(pipeline);
        sm_library_free(library);
        sm_device_close(device);
    }
}
