/* The checking mode: planted faults are found, each at its line, and the same kernels without the
 * fault stay silent. The faults are marked in tests/data/softmetal-faults. */
#include "softmetal_support.h"

#define FOLDER "tests/data/softmetal-faults/"

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
    {DIVERGENCE, "barrier_after_return", 1, {512, 4}},
    {DIVERGENCE, "barrier_in_branch", 1, {512, 4}},
    {DIVERGENCE, "sum_in_branch", 1, {512, 4}},
    {DIVERGENCE, "shuffle_in_loop", 1, {512, 4}},
    {DIVERGENCE, "matrix_in_branch", 1, {256, 1024}},
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
        bool stray = kind == SM_REPORT_STRAY_READ || kind == SM_REPORT_STRAY_WRITE;
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
