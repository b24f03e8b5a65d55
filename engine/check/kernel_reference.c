/* What the reference says of a case: values and error budgets, through the expansion where the operation
 * is fused. */
#include "engine/check/kernel_case.h"

#include "reference/reference.h"

struct run {
    struct ts_kernel_case *c;
    struct ts_pool *pool;
    bool written[TS_MAX_OPERANDS];
    bool read_later[TS_MAX_OPERANDS]; /* by another step, which needs all of it */
};

static struct ts_ref_in input(const struct run *run, unsigned place)
{
    const struct ts_kernel_operand *o = &run->c->operands[place];
    if (run->written[place]) {
        return o->index ? (struct ts_ref_in){.data = o->index, .format = TS_I32}
                        : (struct ts_ref_in){.data = o->value, .format = TS_F64, .err = o->err};
    }
    if (o->repeated.contents) {
        return (struct ts_ref_in){.data = o->repeated.contents, .format = o->format};
    }
    if (o->weights) {
        return (struct ts_ref_in){.data = o->weights, .format = o->format};
    }
    if (o->indices) {
        return (struct ts_ref_in){.data = o->indices, .format = TS_I32};
    }
    return (struct ts_ref_in){.data = o->reals, .format = TS_F64};
}

static struct ts_ref_out output(const struct run *run, unsigned place)
{
    const struct ts_kernel_operand *o = &run->c->operands[place];
    struct ts_ref_out out = {.value = o->value, .index = o->index, .err = o->err};
    if (!run->read_later[place]) {
        out.want = o->want;
        out.want_count = o->want_count;
    }
    return out;
}

/* places[i] says which operand of the case stands at place i of the operation. */
static bool run_op(struct run *run, enum ts_op op, const void *args, const uint8_t *places,
                   struct ts_error *error)
{
    const struct ts_op_info *info = ts_op_info(op);
    const struct ts_precision *claim = &run->c->claim;
    struct ts_ref_claim ref_claim = {claim->u_in, claim->u_acc, claim->u_out, claim->short_chain};
    struct ts_ref_in in[TS_MAX_OPERANDS];
    struct ts_ref_out out[TS_MAX_OPERANDS];
    unsigned ins = 0, outs = 0;
    for (unsigned i = 0; i < info->operand_count; i++) {
        if (places[i] == TS_NO_OPERAND) {
            in[ins++] = (struct ts_ref_in){.data = NULL};
        } else if (ts_operand_is_written(info->operands[i].kind)) {
            out[outs++] = output(run, places[i]);
        } else {
            in[ins++] = input(run, places[i]);
        }
    }
    if (!ts_ref_op(op)(args, in, out, &ref_claim, run->pool, error)) {
        return false;
    }
    for (unsigned i = 0; i < info->operand_count; i++) {
        if (places[i] != TS_NO_OPERAND && ts_operand_is_written(info->operands[i].kind)) {
            run->written[places[i]] = true;
        }
    }
    return true;
}

bool ts_kernel_case_reference(struct ts_kernel_case *c, struct ts_pool *pool,
                              struct ts_error *error)
{
    struct run run = {.c = c, .pool = pool};
    struct ts_expansion expansion = {.count = 0};
    if (!c->info->fused) {
        static const uint8_t same[TS_MAX_OPERANDS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
        return run_op(&run, c->op, c->args, same, error);
    }
    c->info->expand(c->args, &expansion);
    for (unsigned s = 0; s < expansion.count; s++) {
        const struct ts_step *step = &expansion.steps[s];
        const struct ts_op_info *info = ts_op_info(step->op);
        for (unsigned i = 0; i < info->operand_count; i++) {
            if (step->operands[i] != TS_NO_OPERAND &&
                !ts_operand_is_written(info->operands[i].kind)) {
                run.read_later[step->operands[i]] = true;
            }
        }
    }
    for (unsigned s = 0; s < expansion.count; s++) {
        const struct ts_step *step = &expansion.steps[s];
        if (!run_op(&run, step->op, step->args.bytes, step->operands, error)) {
            return false;
        }
    }
    return true;
}
