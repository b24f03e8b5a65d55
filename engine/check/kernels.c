#include "engine/check/kernels.h"

#include "base/clock.h"
#include "engine/check/kernel_records.h"
#include "engine/check/kernel_values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* Cases above this many operations run in one or two regimes only. */
static const uint64_t many_flops = 50 * 1000 * 1000, few_flops = 4 * 1000 * 1000;
/* Those of many variants take cases of at most so many, or the kernel's smallest. */
static const uint64_t extreme_flops = 1000 * 1000, special_flops = 200 * 1000;

enum { ATTEMPTS = 4 };

/* No operand is larger: beyond 4 GiB, within what many devices take. */
static const uint64_t most_bytes = 5ull << 30;

const char *ts_kernel_verdict_name(enum ts_kernel_verdict verdict)
{
    static const char *const names[] = {"EXACT", "PASS", "MARGINAL", "FAIL"};
    return names[verdict];
}

static bool is_named(enum ts_op op, const char *name)
{
    const struct ts_op_info *info = ts_op_info(op);
    return strcmp(info->name, name) == 0 || strcmp(info->family, name) == 0;
}

bool ts_kernel_matches(const struct ts_kernel *kernel, const char *filter)
{
    bool named = false;
    for (int op = 0; filter && op < TS_OP_COUNT && !named; op++) {
        named = is_named((enum ts_op)op, filter);
    }
    return !filter || (named ? is_named(kernel->op, filter)
                             : *filter && strstr(kernel->function, filter) != NULL);
}

static const char list_hint[] = "touchstone check --list names them all";

static bool has_source(const char *folder, const struct ts_kernel *kernel)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s.metal", folder, ts_op_info(kernel->op)->family);
    return length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0;
}

bool ts_kernels_can_check(const char *filter, unsigned mutant, const char *kernels,
                          struct ts_error *error)
{
    unsigned taken = 0, with_bug = 0, with_source = 0;
    struct stat folder;
    if (kernels && (stat(kernels, &folder) != 0 || !S_ISDIR(folder.st_mode))) {
        return ts_fail(error, TS_ERR_USAGE, "tools/embed-kernels.sh --flat DIR writes one",
                       "--kernels %s: there is no such folder", kernels);
    }
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        const struct ts_kernel *k = ts_kernel_at(i);
        if (ts_kernel_matches(k, filter)) {
            taken++;
            with_bug += mutant >= k->first_mutant && mutant <= k->last_mutant;
            with_source += kernels && has_source(kernels, k);
        }
    }
    if (taken == 0) {
        return ts_fail(error, TS_ERR_USAGE, list_hint, "no kernel matches '%s'", filter);
    }
    if (mutant > 0 && with_bug == 0) {
        return ts_fail(error, TS_ERR_USAGE, list_hint,
                       "no kernel that is checked has planted bug %u", mutant);
    }
    if (kernels && with_source == 0) {
        return ts_fail(error, TS_ERR_USAGE, "tools/embed-kernels.sh --flat DIR writes them",
                       "--kernels %s: it has no source of the kernels that are checked", kernels);
    }
    return true;
}

/* Operations of the smallest case for which a kernel is the first line that fits. */
static uint64_t least_flops(const struct ts_kernel *kernel)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < info->cases->usual; i++) {
        struct ts_work work;
        ts_op_work(kernel->op, ts_case_args(info, i), &work);
        if (work.flops < least && ts_kernel_case_is_first(kernel, i)) {
            least = work.flops;
        }
    }
    return least;
}

static bool regime_applies(const struct ts_kernel *kernel, unsigned index, enum ts_regime regime)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    struct ts_work work;
    ts_op_work(kernel->op, ts_case_args(info, index), &work);
    if (ts_case_is_size(info, index) || !ts_kernel_case_is_first(kernel, index)) {
        return regime == TS_REGIME_RANDOM;
    }
    if (regime == TS_REGIME_EXACT) {
        return info->linear;
    }
    if (regime == TS_REGIME_RANDOM) {
        return true;
    }
    if (regime == TS_REGIME_EXTREME) {
        return work.flops <= extreme_flops || work.flops == least_flops(kernel);
    }
    if (regime == TS_REGIME_SPECIAL) {
        return work.flops <= special_flops || work.flops == least_flops(kernel);
    }
    return work.flops < many_flops && (regime != TS_REGIME_CONSTANT || !info->linear);
}

/* The same numbers for a kernel, case and regime whatever else is checked. */
static void seed_case(struct ts_rng *rng, uint64_t seed, const struct ts_kernel *kernel,
                      unsigned index, const struct ts_case_inputs *inputs)
{
    char text[192];
    int length = snprintf(text, sizeof text, "%s %u %d", kernel->function, index, inputs->regime);
    if (inputs->regime >= TS_REGIME_EXTREME) {
        length = snprintf(text, sizeof text, "%s %u %d %u %u", kernel->function, index,
                          inputs->regime, inputs->variant, inputs->attempt);
    }
    ts_rng_seed(rng, XXH3_64bits_withSeed(text, (size_t)length, seed));
}

/* A case and what the reference says of it. A special number is put elsewhere until it reaches some outputs
 * and leaves some alone, which not every operation can have. */
static bool make_case(const struct ts_kernel_check_options *options, struct ts_pool *pool,
                      const struct ts_kernel *kernel, unsigned index, struct ts_case_inputs inputs,
                      struct ts_kernel_case *c, struct ts_error *error)
{
    unsigned attempts = inputs.regime == TS_REGIME_SPECIAL ? ATTEMPTS : 1;
    for (;; inputs.attempt++) {
        struct ts_rng rng;
        seed_case(&rng, options->seed, kernel, index, &inputs);
        bool ok = ts_kernel_case_make(c, kernel, index, &inputs, &rng, error) &&
                  ts_kernel_case_reference(c, pool, error);
        if (!ok || inputs.attempt + 1 >= attempts || ts_values_mixed(c)) {
            return ok;
        }
        ts_kernel_case_free(c);
    }
}

/* False where the kernel failed; result->reason or the score says how. */
static bool check_case(const struct ts_kernel_check_options *options, struct ts_device *device,
                       struct ts_pool *pool, unsigned index, struct ts_case_inputs inputs,
                       struct ts_kernel_result *result)
{
    struct ts_kernel_case c;
    struct ts_error error = {0};
    bool made = make_case(options, pool, result->kernel, index, inputs, &c, &error);
    c.bare = options->bare;
    bool ran = made && ts_kernel_case_run(&c, device, options->any_order, &error);
    if (ran) {
        ts_kernel_case_settle_routes(&c);
    }
    bool ok = ran && ts_kernel_case_judge(&c, &result->score);
    if (!ran) {
        result->unbuilt = error.code == TS_ERR_KERNEL;
        if (result->unbuilt || strncmp(error.message, "case ", 5) == 0) {
            snprintf(result->reason, sizeof result->reason, "%.500s", error.message);
        } else {
            snprintf(result->reason, sizeof result->reason, "case %u, %s: %.450s", index,
                     ts_regime_name(inputs.regime), error.message);
        }
    }
    ts_kernel_case_free(&c);
    return ok;
}

/* A failure that is no number (it does not compile, does not end, writes around its outputs) ends a kernel's
 * check; wrong numbers are all counted. */
static bool goes_on(const struct ts_kernel_check_options *options,
                    const struct ts_kernel_result *result, bool ok)
{
    return ok || (!options->stop && !result->reason[0]);
}

static bool check_regime(const struct ts_kernel_check_options *options, struct ts_device *device,
                         struct ts_pool *pool, unsigned index, enum ts_regime regime,
                         struct ts_kernel_result *result)
{
    unsigned variants = ts_regime_variants(result->kernel, regime);
    bool ok = true;
    for (unsigned v = 0; v < variants && goes_on(options, result, ok); v++) {
        struct ts_case_inputs inputs = {.regime = regime, .variant = v};
        ok &= check_case(options, device, pool, index, inputs, result);
    }
    return ok;
}

/* Whether a kernel is to run a case: wherever its condition accepts the arguments, also where another one
 * stands before it in the table (those only with random numbers, and by default only if they are of few operations). Operands
 * beyond what a device takes are left out. */
static bool runs_case(const struct ts_kernel_check_options *options, const struct ts_device *device,
                      const struct ts_kernel *kernel, unsigned i)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    const void *args = ts_case_args(info, i);
    bool size = ts_case_is_size(info, i);
    struct ts_work work;
    if (!kernel->fits(args)) {
        return false;
    }
    ts_op_work(kernel->op, args, &work);
    if (options->small_cases && (size || work.flops > few_flops)) {
        return false;
    }
    bool many = work.flops > (size ? 4 : 1) * few_flops;
    if (many && !options->long_cases && !ts_kernel_case_is_first(kernel, i)) {
        return false;
    }
    uint64_t largest = ts_device_limits(device)->max_buffer_bytes;
    largest = largest < most_bytes ? largest : most_bytes;
    return (size || options->long_cases || i < info->cases->usual) &&
           ts_kernel_case_largest(kernel, i) <= largest;
}

void ts_kernel_settle(struct ts_kernel_result *result, bool ok)
{
    const struct ts_kernel_score *score = &result->score;
    result->nmse = score->square > 0 ? score->error_square / score->square : 0;
    if (ok && score->compared == 0) {
        snprintf(result->reason, sizeof result->reason, "none of the operation's cases reaches it");
    }
    if (!ok || score->compared == 0) {
        result->verdict = TS_KERNEL_FAIL;
    } else if (score->exact) {
        result->verdict = TS_KERNEL_EXACT;
    } else if (result->recorded > 0 && score->rho > 4 * result->recorded) {
        result->verdict = TS_KERNEL_MARGINAL;
    } else {
        result->verdict = TS_KERNEL_PASS;
        result->over_claimed = score->rho < 0.001;
    }
}

static void check_kernel(const struct ts_kernel_check_options *options, struct ts_device *device,
                         struct ts_pool *pool, struct ts_kernel_result *result)
{
    const struct ts_kernel *kernel = result->kernel;
    const struct ts_op_info *info = ts_op_info(kernel->op);
    unsigned count = info->cases->count + info->sizes->count;
    bool ok = true;
    uint64_t start = ts_clock_ns();
    result->score.exact = true;
    ts_device_prefer(device, kernel);
    for (unsigned i = 0; i < count && goes_on(options, result, ok); i++) {
        if (!runs_case(options, device, kernel, i)) {
            continue;
        }
        result->cases++;
        for (int r = 0; r < TS_REGIME_COUNT && goes_on(options, result, ok); r++) {
            if (regime_applies(kernel, i, (enum ts_regime)r)) {
                ok &= check_regime(options, device, pool, i, (enum ts_regime)r, result);
            }
        }
    }
    result->seconds = (double)(ts_clock_ns() - start) * 1e-9;
    ts_kernel_settle(result, ok);
}

static void count_result(struct ts_kernel_totals *totals, const struct ts_kernel_result *result)
{
    totals->kernels++;
    totals->compared += result->score.compared;
    totals->exact += result->verdict == TS_KERNEL_EXACT;
    totals->pass += result->verdict == TS_KERNEL_PASS;
    totals->marginal += result->verdict == TS_KERNEL_MARGINAL;
    totals->fail += result->verdict == TS_KERNEL_FAIL;
    totals->over_claimed += result->over_claimed;
    totals->unbuilt += result->unbuilt;
}

static void walk(const struct ts_kernel_check_options *options,
                 const struct ts_kernel_records *records, struct ts_device *device,
                 struct ts_pool *pool, ts_kernel_result_fn *fn, void *context,
                 struct ts_kernel_totals *totals)
{
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        struct ts_kernel_result result = {.kernel = ts_kernel_at(i), .recorded = records->rho[i]};
        if (!ts_kernel_matches(result.kernel, options->filter) ||
            (options->only && !options->only[i])) {
            continue;
        }
        check_kernel(options, device, pool, &result);
        count_result(totals, &result);
        if (!fn(context, &result)) {
            return;
        }
    }
}

bool ts_kernels_check(const struct ts_kernel_check_options *options, ts_kernel_result_fn *fn,
                      void *context, struct ts_kernel_totals *totals, struct ts_error *error)
{
    struct ts_device_options device_options = {.threads = options->threads,
                                               .unfused = options->unfused,
                                               .mutant = options->mutant,
                                               .kernels = options->kernels,
                                               .software = options->software};
    const char *name = options->device ? options->device : "metal";
    struct ts_kernel_records records = {.seed_count = 0};
    if (!ts_kernels_can_check(options->filter, options->mutant, options->kernels, error) ||
        (options->records && !ts_kernel_records_read(options->records, &records, error))) {
        return false;
    }
    struct ts_pool *pool = ts_pool_open(options->threads, error);
    struct ts_device *device = pool ? ts_device_open(name, &device_options, error) : NULL;
    bool recorded = ts_kernel_records_have(&records, options->seed);
    *totals = (struct ts_kernel_totals){.recorded = recorded && !options->long_cases &&
                                                    !options->any_order};
    bool kernels = device && ts_device_limits(device)->real_format == TS_F32;
    if (device && !kernels) {
        ts_fail(error, TS_ERR_USAGE, "use --device metal",
                "device %s has no kernels: it is what they are compared with", name);
    }
    if (kernels) {
        walk(options, &records, device, pool, fn, context, totals);
    }
    ts_device_close(device);
    ts_pool_close(pool);
    if (kernels && totals->kernels == 0) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "no kernel was checked");
    }
    return kernels;
}
