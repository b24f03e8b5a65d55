#include "engine/check/bisect.h"

#include "engine/check/kernels.h"
#include "engine/session/session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct bisect {
    const struct ts_model *model;
    struct ts_device *device; /* under test */
    struct ts_pool *pool;
    struct ts_rng rng;
    struct ts_bisect_result *result;
};

/* The tensor that the operation's first weight is. */
static void name_tensor(const struct bisect *b, enum ts_op op, const struct ts_slice *slices)
{
    const struct ts_gguf *gguf = b->model->gguf;
    const struct ts_op_info *info = ts_op_info(op);
    for (unsigned i = 0; i < info->operand_count; i++) {
        if (!ts_operand_is_weight(info->operands[i].kind) || !slices[i].buffer) {
            continue;
        }
        for (uint64_t t = 0; t < gguf->tensor_count; t++) {
            if (gguf->tensors[t].offset == slices[i].offset) {
                snprintf(b->result->tensor, sizeof b->result->tensor, "%.*s",
                         (int)gguf->tensors[t].name.length, gguf->tensors[t].name.data);
                return;
            }
        }
        return;
    }
}

static void name_kernels(const struct bisect *b)
{
    struct ts_device_counters counters;
    size_t used = 0;
    char *names = b->result->kernels;
    ts_device_counters(b->device, &counters);
    names[0] = '\0';
    for (unsigned i = 0; i < TS_KERNEL_COUNT && used < sizeof b->result->kernels; i++) {
        if (counters.kernel_launches[i] > 0) {
            used += (size_t)snprintf(names + used, sizeof b->result->kernels - used, "%s%s",
                                     used ? ", " : "", ts_kernel_at(i)->function);
        }
    }
}

/* Kernels that claim less than float sums are judged by what they claim where the table has one line for
 * the operation; the parts of an expansion all claim floats. */
static struct ts_precision claim_of(const struct bisect *b, enum ts_op op, const void *args,
                                    const struct ts_slice *slices)
{
    uint32_t formats[TS_MAX_OPERANDS];
    const struct ts_op_info *info = ts_op_info(op);
    for (unsigned i = 0; i < info->operand_count; i++) {
        formats[i] = slices[i].buffer ? slices[i].format : TS_ANY_FORMAT;
    }
    const struct ts_kernel *kernel =
        ts_device_supports(b->device, op, args, slices) ? ts_kernel_find(op, args, formats) : NULL;
    return kernel ? kernel->claim : (struct ts_precision){0, 0x1p-24, 0x1p-24, 0};
}

static bool compare(struct bisect *b, enum ts_op op, const void *args,
                    const struct ts_slice *slices, struct ts_kernel_score *score,
                    struct ts_error *error)
{
    struct ts_kernel_case c;
    struct ts_precision claim = claim_of(b, op, args, slices);
    ts_device_reset_counters(b->device);
    bool made = ts_kernel_case_take(&c, op, args, slices, &claim, &b->rng, error) &&
                ts_kernel_case_reference(&c, b->pool, error);
    bool ok = made && ts_kernel_case_run(&c, b->device, false, error);
    if (ok) {
        ts_kernel_case_settle_routes(&c);
    }
    if (made && !ok && error->code == TS_ERR_CHECK) { /* guards, poison: the operation's fault */
        snprintf(b->result->what, sizeof b->result->what, "%.500s", error->message);
    } else if (ok && !ts_kernel_case_judge(&c, score)) {
        snprintf(b->result->what, sizeof b->result->what, "%s", score->worst);
        ok = false;
    }
    ts_kernel_case_free(&c);
    return ok;
}

static bool observe(void *context, enum ts_op op, const void *args, const struct ts_slice *slices,
                    struct ts_error *error)
{
    struct bisect *b = context;
    struct ts_bisect_result *r = b->result;
    struct ts_kernel_score score = {.exact = true};
    struct ts_error problem = {0};
    r->place++;
    if (compare(b, op, args, slices, &score, &problem)) {
        r->operations++;
        r->compared += score.compared;
        r->rho = fmax(r->rho, score.rho);
        return true;
    }
    if (!r->what[0]) {
        *error = problem; /* the device or memory failed */
        return false;
    }
    r->found = true;
    r->op = op;
    name_tensor(b, op, slices);
    name_kernels(b);
    return ts_fail(error, TS_ERR_CHECK, NULL, "found");
}

static bool feed(struct bisect *b, const struct ts_trace *trace,
                 const struct ts_session_options *options, struct ts_error *error)
{
    struct ts_session *session = ts_session_open(b->model, options, error);
    bool ok = session != NULL;
    if (ok) {
        ts_device_set_observer(ts_session_device(session), observe, b);
    }
    for (uint64_t done = 0; ok && done < trace->tokens;) {
        uint64_t left = trace->tokens - done;
        uint64_t step = left < options->chunk ? left : options->chunk;
        b->result->position = done;
        b->result->place = 0;
        ok = ts_session_feed(session, trace->ids + done, step, error);
        done += step;
    }
    ts_session_close(session);
    return ok || b->result->found;
}

bool ts_bisect(const struct ts_model *model, const struct ts_trace *trace,
               const struct ts_bisect_options *options, struct ts_bisect_result *result,
               struct ts_error *error)
{
    struct bisect b = {.model = model, .result = result};
    struct ts_device_options device = {.threads = options->threads,
                                       .unfused = options->unfused,
                                       .mutant = options->mutant,
                                       .kernels = options->kernels};
    struct ts_session_options session = {.threads = options->threads,
                                         .context = trace->tokens,
                                         .chunk = options->chunk ? options->chunk : 128,
                                         .kv_rounding_off = !trace->kv_rounding};
    memset(result, 0, sizeof *result);
    if (!ts_kernels_can_check(NULL, options->mutant, options->kernels, error)) {
        return false;
    }
    ts_rng_seed(&b.rng, 1);
    b.pool = ts_pool_open(options->threads, error);
    b.device =
        b.pool ? ts_device_open(options->device ? options->device : "metal", &device, error) : NULL;
    bool ok = b.device && feed(&b, trace, &session, error);
    ts_device_close(b.device);
    ts_pool_close(b.pool);
    if (ok && !result->found && result->compared == 0) {
        return ts_fail(error, TS_ERR_CHECK, NULL, "nothing was compared");
    }
    return ok;
}
