/* The table of operations as C data: enum, operand lists, argument structs and host-side hooks, all
 * generated from ops.def. */
#ifndef TS_KERNELS_OPS_H
#define TS_KERNELS_OPS_H

#include "kernels/attention.h"
#include "kernels/compressor.h"
#include "kernels/embed.h"
#include "kernels/head.h"
#include "kernels/hyper.h"
#include "kernels/indexer.h"
#include "kernels/kv.h"
#include "kernels/matmul.h"
#include "kernels/moe.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "kernels/rounding.h"
#include "kernels/router.h"

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum ts_op {
#define TS_OP(name, family, operands, shape, kind) TS_OP_##name,
#include "kernels/ops.def"
#undef TS_OP
    TS_OP_COUNT
};

enum ts_operand_kind {
    TS_OPERAND_IN,  /* real numbers read */
    TS_OPERAND_OPT, /* real numbers read, may be empty */
    TS_OPERAND_WGT, /* weights in a format of their own */
    TS_OPERAND_WGP, /* as WGT, may be empty */
    TS_OPERAND_OUT, /* real numbers written */
    TS_OPERAND_TMP, /* real numbers written and read inside a fused operation */
    TS_OPERAND_MIO, /* real numbers updated in place */
    TS_OPERAND_IDX, /* int32 read */
    TS_OPERAND_IDP, /* int32 read, may be empty */
    TS_OPERAND_IDO  /* int32 written */
};

enum { TS_MAX_OPERANDS = 16, TS_MAX_STEPS = 6 };

struct ts_operand {
    const char *name;
    enum ts_operand_kind kind;
};

/* One plain operation of an expansion. operands[i] says which operand of the FUSED operation stands
 * at place i of the plain one; TS_NO_OPERAND leaves an optional operand empty. */
enum { TS_NO_OPERAND = 255 };
struct ts_step {
    enum ts_op op;
    uint8_t operands[TS_MAX_OPERANDS];
    union {
        uint8_t bytes[TS_ARGS_BYTES];
        uint64_t align;
    } args;
};

/* The same work as a fused operation, as plain operations in order. */
struct ts_expansion {
    unsigned count;
    struct ts_step steps[TS_MAX_STEPS];
};

/* What an operation costs at least. flops counts a multiply-add as two, a comparison or a move as
 * none. touched[i] is the number of distinct elements of operand i that must be read or written once
 * (a gather touches only what it selects); it is in elements, as bytes depend on the format. */
struct ts_work {
    uint64_t flops;
    uint64_t touched[TS_MAX_OPERANDS];
};

/* elements[i] receives the number of elements of operand i; 0 where an optional one must be empty. */
typedef void ts_extent_fn(const void *args, uint64_t *elements);
/* flops arrives as 0 and touched filled with the extents; the hook lowers what is only touched in
 * part. */
typedef void ts_work_fn(const void *args, struct ts_work *work);
typedef void ts_expand_fn(const void *args, struct ts_expansion *expansion);

/* Fills an operand that cannot be any numbers: ids within their range, cosine and sine, a block of
 * equal scores. Indices go to ids, real numbers to values, [count]; the other is NULL. The array
 * arrives with small random numbers, which a hook may leave; it is called for every operand that is
 * read and is no weight, in the order of the operands. */
typedef void ts_inputs_fn(const void *args, unsigned operand, struct ts_rng *rng, uint64_t count,
                          int32_t *ids, double *values);

/* Arguments to check and to time an operation with: sizes that are no multiples of anything, and the
 * real model's. The first `usual` are run by default, the others (more than 64 tokens) on request. */
struct ts_cases {
    const void *args; /* [count] argument structs */
    unsigned count, usual;
    ts_inputs_fn *inputs; /* NULL: any numbers will do */
    unsigned optional;    /* operands (1 << place) that are left out of every fourth case */
};

/* For kernels/<family>.c: TS_CASES(op, inputs hook, usual, {args}, {args} ...), and the same with
 * operands that every fourth case leaves out. */
#define TS_CASES(op, inputs, usual, ...) TS_CASES_WITHOUT(op, 0, inputs, usual, __VA_ARGS__)
#define TS_CASES_WITHOUT(op, optional, inputs, usual, ...)                                         \
    static const struct ts_##op##_args case_args_##op[] = {__VA_ARGS__};                           \
    const struct ts_cases ts_cases_##op = {case_args_##op,                                         \
                                           sizeof case_args_##op / sizeof case_args_##op[0],       \
                                           usual, inputs, optional};

/* Arguments to check with whether sizes are handled right: token counts around those of tiles, numbers
 * beyond 8, 16 and 32 bits, the real model's shapes. Run by default, with random numbers only. Inputs of
 * more than TS_REPEATED_BYTES stand in memory as repetitions of a smaller piece, for which no inputs hook
 * is asked. */
enum { TS_REPEATED_BYTES = 32 << 20 };
struct ts_sizes {
    const void *args; /* [count] argument structs */
    unsigned count;
    uint32_t counted; /* offset of the argument that counts tokens or rows, an uint32_t */
};

/* For kernels/<family>.c: TS_SIZES(op, argument that counts tokens or rows, {args}, {args} ...). */
#define TS_SIZES(op, field, ...)                                                                   \
    static const struct ts_##op##_args size_args_##op[] = {__VA_ARGS__};                           \
    const struct ts_sizes ts_sizes_##op = {size_args_##op,                                         \
                                           sizeof size_args_##op / sizeof size_args_##op[0],       \
                                           offsetof(struct ts_##op##_args, field)};

/* The counts at which an operation may go wrong: few, tiles of 32 and 64 and one more or less, chunks.
 * `args` is a macro that makes an argument struct of a count. */
#define TS_FEW_COUNTS(args) args(1), args(2), args(3), args(4), args(5), args(6), args(7), args(8)
#define TS_COUNTS(args)                                                                            \
    TS_FEW_COUNTS(args), args(9), args(31), args(32), args(33), args(63), args(64), args(65),      \
        args(127), args(128), args(129), args(256), args(257), args(512), args(513)

struct ts_op_info {
    const char *name;
    const char *family;
    const struct ts_operand *operands;
    unsigned operand_count;
    bool linear;         /* LINEAR, not CURVED */
    bool fused;          /* FUSED, not PLAIN */
    uint32_t args_bytes; /* size of the argument struct */
    ts_extent_fn *extent;
    ts_work_fn *work;     /* PLAIN */
    ts_expand_fn *expand; /* FUSED */
    const struct ts_cases *cases;
    const struct ts_sizes *sizes;
};

/* Never NULL for an op below TS_OP_COUNT. */
const struct ts_op_info *ts_op_info(enum ts_op op);

/* The argument struct of a case, index below info->cases->count; from there on, of the sizes. */
const void *ts_case_args(const struct ts_op_info *info, unsigned index);

bool ts_case_is_size(const struct ts_op_info *info, unsigned index);

/* The argument that counts tokens or rows (struct ts_sizes). */
uint32_t ts_case_count(const struct ts_op_info *info, const void *args);

/* Work of any operation; that of a fused one is the sum of its expansion's flops, and its TMP
 * operands touch nothing. */
void ts_op_work(enum ts_op op, const void *args, struct ts_work *work);

/* True for operands that hold integers; that are weights; that may be empty; that are written. */
bool ts_operand_is_index(enum ts_operand_kind kind);
bool ts_operand_is_weight(enum ts_operand_kind kind);
bool ts_operand_is_optional(enum ts_operand_kind kind);
bool ts_operand_is_written(enum ts_operand_kind kind);

/* For expand hooks: appends one step (at most TS_MAX_STEPS) with its arguments; operands has the
 * place of each of the step's own operands in the fused operation, or TS_NO_OPERAND. */
void ts_expansion_add(struct ts_expansion *expansion, enum ts_op op, const void *args,
                      size_t args_bytes, const uint8_t *operands, size_t operand_count);

/* The same, of a pointer to the step's own argument struct and the list of places. */
#define TS_ADD_STEP(expansion, op, args, ...)                                                      \
    ts_expansion_add(expansion, TS_OP_##op, args, sizeof *(args), (uint8_t[]){__VA_ARGS__},        \
                     sizeof((uint8_t[]){__VA_ARGS__}))

/* Prototypes of every hook. */
#define TS_HOOK_PLAIN(name) void ts_work_##name(const void *args, struct ts_work *work);
#define TS_HOOK_FUSED(name) void ts_expand_##name(const void *args, struct ts_expansion *expansion);
#define TS_OP(name, family, operands, shape, kind)                                                 \
    void ts_extent_##name(const void *args, uint64_t *elements);                                   \
    extern const struct ts_cases ts_cases_##name;                                                  \
    extern const struct ts_sizes ts_sizes_##name;                                                  \
    TS_HOOK_##kind(name)
#include "kernels/ops.def"
#undef TS_OP
#undef TS_HOOK_PLAIN
#undef TS_HOOK_FUSED

#endif
