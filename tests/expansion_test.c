/* Every line of the table of operations: that a FUSED one's expansion fits together, and that the
 * work counted for each lies within its operands. */
#include "kernels/kernels.h"
#include "tests/support/operand.h"

#include <stdio.h>

struct op_case {
    enum ts_op op;
    const void *args;
};

enum { MOST_CASES = 1000 };
static struct op_case cases[MOST_CASES];
static unsigned case_count;

/* The cases of every operation, from the table. */
static void gather_cases(void)
{
    for (unsigned op = 0; op < TS_OP_COUNT; op++) {
        const struct ts_op_info *info = ts_op_info((enum ts_op)op);
        for (unsigned i = 0; i < info->cases->count; i++) {
            cr_assert(case_count < MOST_CASES);
            cases[case_count++] = (struct op_case){(enum ts_op)op, ts_case_args(info, i)};
        }
    }
}

TestSuite(expansion, .init = gather_cases);

/* ---- expansions ------------------------------------------------------------------------------ */

static char problem[160];

#define PROBLEM(...) (snprintf(problem, sizeof problem, __VA_ARGS__), problem)

/* Operand i of the step that stands at `place` of the fused operation: kind, size and order. */
static const char *check_operand(const struct ts_op_info *fused, const struct ts_operand *operand,
                                 unsigned place, bool *written)
{
    const struct ts_operand *outer = &fused->operands[place];
    bool handed_on = outer->kind == TS_OPERAND_TMP || outer->kind == TS_OPERAND_OUT ||
                     outer->kind == TS_OPERAND_IDO;
    if (ts_operand_is_index(operand->kind) != ts_operand_is_index(outer->kind) ||
        ts_operand_is_weight(operand->kind) != ts_operand_is_weight(outer->kind)) {
        return PROBLEM("%s is another kind of number than %s", operand->name, outer->name);
    }
    if (ts_operand_is_written(operand->kind)) {
        if (!ts_operand_is_written(outer->kind)) {
            return PROBLEM("%s is written", outer->name);
        }
        if (written[place]) {
            return PROBLEM("%s is written twice", outer->name);
        }
        written[place] = true;
    } else if (handed_on && !written[place]) {
        return PROBLEM("%s is read before it is written", outer->name);
    }
    return NULL;
}

static const char *check_step(const struct ts_op_info *fused, const struct ts_step *step,
                              const uint64_t *extents, bool *written, bool *used)
{
    if (step->op >= TS_OP_COUNT || ts_op_info(step->op)->fused) {
        return PROBLEM("a step is not PLAIN");
    }
    const struct ts_op_info *info = ts_op_info(step->op);
    uint64_t elements[TS_MAX_OPERANDS] = {0};
    info->extent(step->args.bytes, elements);
    for (unsigned pass = 0; pass < 2; pass++) { /* what is read, then what is written */
        for (unsigned i = 0; i < info->operand_count; i++) {
            unsigned place = step->operands[i];
            if (ts_operand_is_written(info->operands[i].kind) != (pass == 1)) {
                continue;
            }
            if (place == TS_NO_OPERAND) {
                if (!ts_operand_is_optional(info->operands[i].kind)) {
                    return PROBLEM("%s of %s is left out", info->operands[i].name, info->name);
                }
                continue;
            }
            if (place >= fused->operand_count) {
                return PROBLEM("operand %u does not exist", place);
            }
            if (elements[i] != extents[place]) {
                return PROBLEM("%s of %s has %llu elements, %s has %llu", info->operands[i].name,
                               info->name, (unsigned long long)elements[i],
                               fused->operands[place].name, (unsigned long long)extents[place]);
            }
            const char *found = check_operand(fused, &info->operands[i], place, written);
            if (found) {
                return found;
            }
            used[place] = true;
        }
    }
    for (unsigned i = info->operand_count; i < TS_MAX_OPERANDS; i++) {
        if (step->operands[i] != TS_NO_OPERAND) {
            return PROBLEM("%s has more operands than it takes", info->name);
        }
    }
    return NULL;
}

/* What is wrong with an expansion; NULL if nothing. TMP operands may stay unused (a round trip that
 * is switched off); all others must take part, which for outputs means that they are written. */
static const char *check_expansion(const struct ts_op_info *fused, const void *args,
                                   const struct ts_expansion *expansion)
{
    uint64_t extents[TS_MAX_OPERANDS] = {0};
    bool written[TS_MAX_OPERANDS] = {false}, used[TS_MAX_OPERANDS] = {false};
    fused->extent(args, extents);
    if (expansion->count < 2 || expansion->count > TS_MAX_STEPS) {
        return PROBLEM("%u steps", expansion->count);
    }
    for (unsigned s = 0; s < expansion->count; s++) {
        const char *found = check_step(fused, &expansion->steps[s], extents, written, used);
        if (found) {
            return found;
        }
    }
    for (unsigned i = 0; i < fused->operand_count; i++) {
        enum ts_operand_kind kind = fused->operands[i].kind;
        if (!used[i] && kind != TS_OPERAND_TMP) {
            return PROBLEM("%s takes no part", fused->operands[i].name);
        }
    }
    return NULL;
}

static struct ts_expansion expand(const struct op_case *c)
{
    struct ts_expansion expansion = {.count = 0};
    ts_op_info(c->op)->expand(c->args, &expansion);
    return expansion;
}

Test(expansion, every_operation_has_cases)
{
    unsigned count[TS_OP_COUNT] = {0};
    for (unsigned i = 0; i < case_count; i++) {
        count[cases[i].op]++;
    }
    for (unsigned op = 0; op < TS_OP_COUNT; op++) {
        const struct ts_op_info *info = ts_op_info((enum ts_op)op);
        cr_expect(count[op] >= (info->fused ? 2u : 1u), "%s has %u cases", info->name, count[op]);
        cr_expect(info->fused ? !info->work && info->expand : info->work && !info->expand, "%s",
                  info->name);
    }
}

Test(expansion, every_fused_operation_is_its_parts)
{
    unsigned checked = 0;
    for (unsigned i = 0; i < case_count; i++) {
        const struct ts_op_info *info = ts_op_info(cases[i].op);
        if (info->fused) {
            struct ts_expansion expansion = expand(&cases[i]);
            const char *found = check_expansion(info, cases[i].args, &expansion);
            cr_expect(!found, "%s, case %u: %s", info->name, i, found);
            checked++;
        }
    }
    cr_assert(checked >= 20, "%u checked", checked);
}

/* TMP operands stand in fused operations only, and all write. */
Test(expansion, kinds_of_operands)
{
    for (unsigned op = 0; op < TS_OP_COUNT; op++) {
        const struct ts_op_info *info = ts_op_info((enum ts_op)op);
        unsigned written = 0;
        for (unsigned i = 0; i < info->operand_count; i++) {
            enum ts_operand_kind kind = info->operands[i].kind;
            cr_expect(kind != TS_OPERAND_TMP || info->fused, "%s has a TMP", info->name);
            written += ts_operand_is_written(kind);
        }
        cr_expect(written > 0, "%s writes nothing", info->name);
    }
}

/* Spoils the expansion of hc_pre_norm: hc_mix, hc_weights, hc_reduce, rms_norm, on streams 0, fn 1,
 * base 2, scale 3, norm 4, mix 5, pre 6, reduced 7, normed 8, post 9, comb 10. Returns what the
 * check must say; NULL if there are no more ways. */
static const char *spoil(int way, struct ts_expansion *expansion)
{
    struct ts_step *steps = expansion->steps, step = steps[2];
    switch (way) {
    case 0: expansion->count = 3; return "norm takes no part";
    case 1: steps[2] = steps[3], steps[3] = step; return "reduced is read before it is written";
    case 2: steps[0] = steps[1]; return "mix is read before it is written";
    case 3: steps[3] = steps[2]; return "reduced is written twice";
    case 4: steps[2].args.bytes[0] ^= 3; return "streams of hc_reduce has 2 elements";
    case 5: steps[0].op = TS_OP_query_row; return "a step is not PLAIN";
    case 6: steps[1].operands[5] = TS_NO_OPERAND; return "comb of hc_weights is left out";
    case 7: steps[3].operands[1] = TS_NO_OPERAND; return "norm takes no part";
    case 8: steps[3].operands[1] = 7; return "weight is another kind of number than reduced";
    case 9: steps[2].operands[2] = 0; return "streams is written";
    case 10: steps[2].operands[1] = 11; return "operand 11 does not exist";
    case 11: steps[3].operands[3] = 0; return "rms_norm has more operands than it takes";
    default: return NULL;
    }
}

Test(expansion, spoilt_expansions_are_found)
{
    const struct ts_op_info *info = ts_op_info(TS_OP_hc_pre_norm);
    const struct ts_hc_pre_norm_args args = {1, 1, 1, 1, 1e-6f, 1e-6f};
    const struct op_case c = {TS_OP_hc_pre_norm, &args};
    int way = 0;
    for (;; way++) {
        struct ts_expansion expansion = expand(&c);
        cr_assert(expansion.count == 4 && !check_expansion(info, &args, &expansion));
        const char *expected = spoil(way, &expansion);
        if (!expected) {
            break;
        }
        const char *found = check_expansion(info, &args, &expansion);
        cr_expect(found && strstr(found, expected), "way %d: '%s' instead of '%s'", way,
                  found ? found : "nothing", expected);
    }
    cr_assert(way == 12);
}

/* ---- work ------------------------------------------------------------------------------------ */

/* Moves numbers or compares them, and computes nothing. */
static bool only_moves(enum ts_op op)
{
    return op == TS_OP_embed || op == TS_OP_ring_store || op == TS_OP_index_top_k ||
           op == TS_OP_expert_sort;
}

Test(expansion, work_lies_within_the_operands)
{
    for (unsigned i = 0; i < case_count; i++) {
        const struct ts_op_info *info = ts_op_info(cases[i].op);
        uint64_t extents[TS_MAX_OPERANDS] = {0};
        struct ts_work work;
        info->extent(cases[i].args, extents);
        ts_op_work(cases[i].op, cases[i].args, &work);
        cr_expect((work.flops == 0) == only_moves(cases[i].op), "%s, case %u: %llu flops",
                  info->name, i, (unsigned long long)work.flops);
        for (unsigned k = 0; k < TS_MAX_OPERANDS; k++) {
            enum ts_operand_kind kind = TS_OPERAND_TMP;
            if (k < info->operand_count) {
                kind = info->operands[k].kind;
            }
            bool all = kind == TS_OPERAND_OUT || kind == TS_OPERAND_IDO;
            cr_expect(work.touched[k] <= extents[k] && (!all || work.touched[k] == extents[k]) &&
                          (kind != TS_OPERAND_TMP || work.touched[k] == 0),
                      "%s, case %u, operand %u: %llu of %llu elements", info->name, i, k,
                      (unsigned long long)work.touched[k], (unsigned long long)extents[k]);
        }
    }
}

Test(expansion, work_of_a_fused_operation_is_that_of_its_parts)
{
    for (unsigned i = 0; i < case_count; i++) {
        if (!ts_op_info(cases[i].op)->fused) {
            continue;
        }
        struct ts_expansion expansion = expand(&cases[i]);
        struct ts_work whole, part;
        uint64_t flops = 0;
        for (unsigned s = 0; s < expansion.count; s++) {
            ts_op_work(expansion.steps[s].op, expansion.steps[s].args.bytes, &part);
            flops += part.flops;
        }
        ts_op_work(cases[i].op, cases[i].args, &whole);
        cr_expect(whole.flops == flops, "case %u: %llu, parts %llu", i,
                  (unsigned long long)whole.flops, (unsigned long long)flops);
    }
}

/* Counts marked elements. */
static uint64_t marked(const unsigned char *marks, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += marks[i];
    }
    return sum;
}

/* What pooling touches, element by element, against the closed form. */
Test(expansion, work_of_pooling)
{
    for (unsigned trial = 0; trial < 2000; trial++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, trial);
        struct ts_compressor_pool_args a = {.width = 2, .overlap = (uint32_t)ts_rng_below(&rng, 2)};
        a.ratio = a.overlap ? 4 : 8;
        a.position = ts_rng_below(&rng, 40);
        a.tokens = 1 + (uint32_t)ts_rng_below(&rng, 30);
        a.block = a.position / a.ratio;
        a.blocks = (uint32_t)((a.position + a.tokens) / a.ratio - a.block);
        unsigned char fresh[30 * 4] = {0}, old[8 * 4] = {0};
        uint64_t row = (1 + a.overlap) * a.width, candidates = 0;
        for (uint64_t b = a.block; b < a.block + a.blocks; b++) {
            uint64_t first = a.overlap && b > 0 ? b - 1 : b;
            for (uint64_t t = first * a.ratio; t < (b + 1) * a.ratio; t++) {
                uint64_t channel = a.overlap && t >= b * a.ratio ? a.width : 0;
                for (uint64_t j = channel; j < channel + a.width; j++, candidates++) {
                    uint64_t slot = t % ((1 + a.overlap) * a.ratio);
                    *(t >= a.position ? &fresh[(t - a.position) * row + j] : &old[slot * row + j]) =
                        1;
                }
            }
        }
        struct ts_work work;
        ts_op_work(TS_OP_compressor_pool, &a, &work);
        uint64_t new_count = marked(fresh, sizeof fresh), old_count = marked(old, sizeof old);
        cr_assert(work.touched[0] == new_count && work.touched[1] == new_count &&
                      work.touched[2] == old_count && work.touched[3] == old_count &&
                      work.flops == 4 * candidates,
                  "trial %u: %llu and %llu, counted %llu and %llu", trial,
                  (unsigned long long)work.touched[0], (unsigned long long)work.touched[2],
                  (unsigned long long)new_count, (unsigned long long)old_count);
    }
}

/* Window, compressed rows and scores that the tokens of a call see, one by one. */
Test(expansion, work_of_attention_and_selection)
{
    for (unsigned trial = 0; trial < 2000; trial++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, trial);
        struct ts_attention_args a = {.heads = 3, .width = 5, .window = 8, .ratio = 4};
        a.position = ts_rng_below(&rng, 30);
        a.tokens = 1 + (uint32_t)ts_rng_below(&rng, 20);
        a.rows = (uint32_t)((a.position + a.tokens) / a.ratio);
        a.selected = (uint32_t)ts_rng_below(&rng, 4);
        uint64_t pairs = 0, scores = 0, most = 0;
        unsigned char ring[8] = {0};
        for (uint64_t p = a.position; p < a.position + a.tokens; p++) {
            uint64_t visible = (p + 1) / a.ratio;
            uint64_t chosen = a.selected && visible > a.selected ? a.selected : visible;
            for (uint64_t w = p >= 7 ? p - 7 : 0; w <= p; w++, pairs++) {
                if (w < a.position) {
                    ring[w % 8] = 1;
                }
            }
            pairs += chosen;
            most = chosen > most ? chosen : most;
            scores += visible > a.selected ? visible : 0;
        }
        struct ts_work work;
        ts_op_work(TS_OP_attention, &a, &work);
        cr_assert(work.flops == 4 * pairs * a.heads * a.width, "trial %u: flops", trial);
        cr_assert(work.touched[2] == marked(ring, 8) * a.width, "trial %u: ring", trial);
        cr_assert(work.touched[3] == most * a.width, "trial %u: compressed rows", trial);
        struct ts_index_top_k_args top = {.position = a.position,
                                          .tokens = a.tokens,
                                          .rows = a.rows,
                                          .ratio = 4,
                                          .selected = a.selected};
        ts_op_work(TS_OP_index_top_k, &top, &work);
        cr_assert(work.touched[0] == scores, "trial %u: scores", trial);
    }
}

/* ---- sizes ------------------------------------------------------------------------------------ */

static bool meets(const struct ts_kernel *kernel, uint32_t count)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    for (unsigned i = 0; i < info->cases->count + info->sizes->count; i++) {
        bool runs = i < info->cases->usual || ts_case_is_size(info, i);
        const void *args = ts_case_args(info, i);
        if (runs && ts_case_count(info, args) == count && kernel->fits(args)) {
            return true;
        }
    }
    return false;
}

/* Whether a kernel takes some arguments with this count. */
static bool accepts(const struct ts_kernel *kernel, uint32_t count)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    for (unsigned i = 0; i < info->sizes->count; i++) {
        union {
            uint8_t bytes[TS_ARGS_BYTES];
            uint64_t align;
        } args;
        memcpy(args.bytes, ts_case_args(info, info->cases->count + i), info->args_bytes);
        memcpy(args.bytes + info->sizes->counted, &count, sizeof count);
        if (kernel->fits(args.bytes)) {
            return true;
        }
    }
    return false;
}

/* Tokens (or rows) around the sizes of tiles: every kernel meets each number that it takes. */
Test(expansion, every_kernel_meets_every_count)
{
    static const uint32_t counts[] = {1,  2,  3,  4,  5,   6,   7,   8,   9,   31,  32,
                                      33, 63, 64, 65, 127, 128, 129, 256, 257, 512, 513};
    for (unsigned k = 0; k < TS_KERNEL_COUNT; k++) {
        const struct ts_kernel *kernel = ts_kernel_at(k);
        for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
            cr_expect(!accepts(kernel, counts[i]) || meets(kernel, counts[i]),
                      "no case of %s has %u", kernel->function, counts[i]);
        }
        cr_expect(accepts(kernel, 1), "%s takes nothing", kernel->function);
    }
}
