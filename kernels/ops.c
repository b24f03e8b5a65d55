#include "kernels/ops.h"

#include <string.h>

#define IN(name) {#name, TS_OPERAND_IN},
#define OPT(name) {#name, TS_OPERAND_OPT},
#define WGT(name) {#name, TS_OPERAND_WGT},
#define WGP(name) {#name, TS_OPERAND_WGP},
#define OUT(name) {#name, TS_OPERAND_OUT},
#define TMP(name) {#name, TS_OPERAND_TMP},
#define MIO(name) {#name, TS_OPERAND_MIO},
#define IDX(name) {#name, TS_OPERAND_IDX},
#define IDP(name) {#name, TS_OPERAND_IDP},
#define IDO(name) {#name, TS_OPERAND_IDO},
#define TS_STRIP(...) __VA_ARGS__

#define TS_OP(name, family, operands, shape, kind)                                                 \
    static const struct ts_operand operands_##name[] = {TS_STRIP operands};                        \
    _Static_assert(sizeof operands_##name / sizeof operands_##name[0] <= TS_MAX_OPERANDS,          \
                   "TS_MAX_OPERANDS is too small");                                                \
    _Static_assert(sizeof(struct ts_##name##_args) <= TS_ARGS_BYTES, "TS_ARGS_BYTES is too "       \
                                                                     "small");
#include "kernels/ops.def"
#undef TS_OP

#define LINEAR true
#define CURVED false
#define TS_WORK_PLAIN(name) ts_work_##name
#define TS_WORK_FUSED(name) NULL
#define TS_EXPAND_PLAIN(name) NULL
#define TS_EXPAND_FUSED(name) ts_expand_##name
#define TS_IS_PLAIN false
#define TS_IS_FUSED true

static const struct ts_op_info table[TS_OP_COUNT] = {
#define TS_OP(name, family, operands, shape, kind)                                                 \
    {#name,                                                                                        \
     #family,                                                                                      \
     operands_##name,                                                                              \
     sizeof operands_##name / sizeof operands_##name[0],                                           \
     shape,                                                                                        \
     TS_IS_##kind,                                                                                 \
     sizeof(struct ts_##name##_args),                                                              \
     ts_extent_##name,                                                                             \
     TS_WORK_##kind(name),                                                                         \
     TS_EXPAND_##kind(name),                                                                       \
     &ts_cases_##name,                                                                             \
     &ts_sizes_##name},
#include "kernels/ops.def"
#undef TS_OP
};

const struct ts_op_info *ts_op_info(enum ts_op op)
{
    return &table[op];
}

bool ts_case_is_size(const struct ts_op_info *info, unsigned index)
{
    return index >= info->cases->count;
}

const void *ts_case_args(const struct ts_op_info *info, unsigned index)
{
    bool size = ts_case_is_size(info, index);
    const char *args = size ? info->sizes->args : info->cases->args;
    return args + (size_t)(size ? index - info->cases->count : index) * info->args_bytes;
}

uint32_t ts_case_count(const struct ts_op_info *info, const void *args)
{
    uint32_t count;
    memcpy(&count, (const char *)args + info->sizes->counted, sizeof count);
    return count;
}

bool ts_operand_is_index(enum ts_operand_kind kind)
{
    return kind == TS_OPERAND_IDX || kind == TS_OPERAND_IDP || kind == TS_OPERAND_IDO;
}

bool ts_operand_is_weight(enum ts_operand_kind kind)
{
    return kind == TS_OPERAND_WGT || kind == TS_OPERAND_WGP;
}

bool ts_operand_is_optional(enum ts_operand_kind kind)
{
    return kind == TS_OPERAND_OPT || kind == TS_OPERAND_WGP || kind == TS_OPERAND_IDP;
}

bool ts_operand_is_written(enum ts_operand_kind kind)
{
    return kind == TS_OPERAND_OUT || kind == TS_OPERAND_TMP || kind == TS_OPERAND_MIO ||
           kind == TS_OPERAND_IDO;
}

static void fused_work(const struct ts_op_info *info, const void *args, struct ts_work *work)
{
    struct ts_expansion expansion = {.count = 0};
    uint64_t touched[TS_MAX_OPERANDS] = {0};
    info->expand(args, &expansion);
    for (unsigned s = 0; s < expansion.count; s++) {
        const struct ts_step *step = &expansion.steps[s];
        struct ts_work part;
        ts_op_work(step->op, step->args.bytes, &part);
        work->flops += part.flops;
        for (unsigned i = 0; i < ts_op_info(step->op)->operand_count; i++) {
            unsigned place = step->operands[i];
            if (place != TS_NO_OPERAND && part.touched[i] > touched[place]) {
                touched[place] = part.touched[i];
            }
        }
    }
    for (unsigned i = 0; i < info->operand_count; i++) {
        work->touched[i] = info->operands[i].kind == TS_OPERAND_TMP ? 0 : touched[i];
    }
}

void ts_op_work(enum ts_op op, const void *args, struct ts_work *work)
{
    const struct ts_op_info *info = ts_op_info(op);
    memset(work, 0, sizeof *work);
    if (info->fused) {
        fused_work(info, args, work);
        return;
    }
    info->extent(args, work->touched);
    info->work(args, work);
}
