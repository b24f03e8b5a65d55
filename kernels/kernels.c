#include "kernels/kernels.h"

#include "base/format.h"

#define CEIL(a, b) (((a) + (b)-1) / (b))
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define DECODE (a->tokens == 1)
#define SMALL (a->tokens <= 8)
#define ANY true
#define WHOLE(row, block) ((row) % (block) == 0)
#define TS_GRID(x, y, z, threads)                                                                  \
    {                                                                                              \
        {(uint32_t)(x), (uint32_t)(y), (uint32_t)(z)}, threads                                     \
    }

#define TS_KERNEL(op, version, function, format, when, grid, claim, mutants)                       \
    static bool fits_##function(const void *args)                                                  \
    {                                                                                              \
        const struct ts_##op##_args *a = args;                                                     \
        (void)a;                                                                                   \
        return when;                                                                               \
    }                                                                                              \
    static void grid_##function(const void *args, struct ts_launch *launch)                        \
    {                                                                                              \
        const struct ts_##op##_args *a = args;                                                     \
        (void)a;                                                                                   \
        *launch = (struct ts_launch)TS_##grid;                                                     \
    }
#include "kernels/ops.def"

/* The words of a line: their prefix keeps them from being expanded on the way here. */
#define TS_FLOAT                                                                                   \
    {                                                                                              \
        0, 0x1p-24, 0x1p-24, 0                                                                     \
    }
#define TS_SHORT(chain)                                                                            \
    {                                                                                              \
        0, 0x1p-24, 0x1p-24, chain                                                                 \
    }
#define TS_EXACT                                                                                   \
    {                                                                                              \
        0, 0, 0, 0                                                                                 \
    }
#define TS_NONE TS_ANY_FORMAT
#define TS_ONE(f) TS_##f
#define TS_BOTH(f) TS_##f, TS_##f
#define TS_PAIRS(f, g) TS_##f, TS_##f, TS_##g, TS_##g
#define TS_PAIRS_Q8_0(f) TS_PAIRS(f, Q8_0)
#define TS_BESIDE_Q8_0(f) TS_##f, TS_Q8_0
#define TS_COUNT(...) sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)
#define TS_MUTANTS(first, last) first, last

static const struct ts_kernel table[TS_KERNEL_COUNT] = {
#define TS_KERNEL(op, version, function, format, when, grid, claim, mutants)                       \
    {TS_OP_##op, version,      #function,       {TS_##format},  TS_COUNT(TS_##format),             \
     TS_##claim, TS_##mutants, fits_##function, grid_##function},
#include "kernels/ops.def"
};

const struct ts_kernel *ts_kernel_at(unsigned index)
{
    return &table[index];
}

unsigned ts_kernel_index(const struct ts_kernel *kernel)
{
    return (unsigned)(kernel - table);
}

uint32_t ts_kernel_format(const struct ts_kernel *kernel, unsigned operand)
{
    const struct ts_operand *operands = ts_op_info(kernel->op)->operands;
    unsigned place = 0; /* among the weights */
    for (unsigned i = 0; i < operand; i++) {
        place += ts_operand_is_weight(operands[i].kind);
    }
    return ts_operand_is_weight(operands[operand].kind) && place < kernel->format_count
               ? kernel->formats[place]
               : TS_ANY_FORMAT;
}

bool ts_kernel_takes(const struct ts_kernel *kernel, const uint32_t *formats)
{
    const struct ts_op_info *info = ts_op_info(kernel->op);
    for (unsigned i = 0; i < info->operand_count; i++) {
        uint32_t wanted = ts_kernel_format(kernel, i), given = formats[i];
        bool small = ts_format_is_plain(given) || given == TS_ANY_FORMAT;
        if (ts_operand_is_weight(info->operands[i].kind) &&
            (wanted == TS_ANY_FORMAT ? !small : given != wanted)) {
            return false;
        }
    }
    return true;
}

const struct ts_kernel *ts_kernel_find(enum ts_op op, const void *args, const uint32_t *formats)
{
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        const struct ts_kernel *kernel = &table[i];
        if (kernel->op == op && ts_kernel_takes(kernel, formats) && kernel->fits(args)) {
            return kernel;
        }
    }
    return NULL;
}
