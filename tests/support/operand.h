/* Operands for tests of reference operations: filling, wrapping and comparing arrays of doubles.
 * Memory comes from test_alloc and is freed at the end of each test by test_free_all, which a suite
 * names as its .fini. */
#ifndef TS_TESTS_OPERAND_H
#define TS_TESTS_OPERAND_H

#include "base/rng.h"
#include "reference/reference.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One list a test program; each test is a process of its own. */
struct test_block {
    struct test_block *next;
    double memory[];
};
static struct test_block *test_blocks;

static inline void *test_alloc(uint64_t bytes)
{
    struct test_block *block = calloc(1, sizeof *block + bytes);
    cr_assert(block != NULL, "no memory for %llu bytes", (unsigned long long)bytes);
    block->next = test_blocks;
    test_blocks = block;
    return block->memory;
}

static inline void test_free_all(void)
{
    while (test_blocks) {
        struct test_block *block = test_blocks;
        test_blocks = block->next;
        free(block);
    }
}

static inline double *test_reals(uint64_t count)
{
    return test_alloc(count * sizeof(double));
}

static inline int32_t *test_indices(uint64_t count)
{
    return test_alloc(count * sizeof(int32_t));
}

/* Random numbers that float32 holds exactly. */
static inline double *test_random(struct ts_rng *rng, uint64_t count, double scale)
{
    double *values = test_reals(count);
    for (uint64_t i = 0; i < count; i++) {
        values[i] = (double)(float)(scale * ts_rng_gauss(rng));
    }
    return values;
}

static inline struct ts_ref_in test_in(const double *values)
{
    return (struct ts_ref_in){.data = values, .format = TS_F64};
}

static inline struct ts_ref_in test_in_f32(const double *values, uint64_t count)
{
    float *copy = test_alloc(count * sizeof *copy);
    for (uint64_t i = 0; i < count; i++) {
        copy[i] = (float)values[i];
    }
    return (struct ts_ref_in){.data = copy, .format = TS_F32};
}

static inline struct ts_ref_in test_in_index(const int32_t *values)
{
    return (struct ts_ref_in){.data = values, .format = TS_I32};
}

/* Runs an operation that must succeed. */
static inline void test_run(ts_ref_fn *fn, const void *args, const struct ts_ref_in *in,
                            struct ts_ref_out *out, struct ts_pool *pool)
{
    struct ts_error error = {0};
    bool done = fn(args, in, out, NULL, pool, &error);
    cr_assert(done, "refused: %s", error.message);
}

/* Fails unless the arrays hold the same bits. */
static inline void test_same(const double *a, const double *b, uint64_t count, const char *what,
                             uint64_t which)
{
    for (uint64_t i = 0; i < count; i++) {
        cr_assert(memcmp(&a[i], &b[i], sizeof a[i]) == 0,
                  "%s, case %llu: element %llu: %.17g, %.17g", what, (unsigned long long)which,
                  (unsigned long long)i, a[i], b[i]);
    }
}

static inline double test_relative_l2(const double *a, const double *b, uint64_t count)
{
    double difference = 0, norm = 0;
    for (uint64_t i = 0; i < count; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}

/* Runs with a few elements wanted, which must have the values of the full run. `full` is the filled
 * first out of that run; the operation writes real numbers to out[place]. */
static inline void test_wanted(ts_ref_fn *fn, const void *args, const struct ts_ref_in *in,
                               struct ts_ref_out *out, unsigned place, uint64_t elements)
{
    double *full = out[place].value, *part = test_reals(elements);
    uint64_t want[64], count = 0;
    for (uint64_t i = elements > 3 ? 1 : 0; i < elements && count < 64; i += 1 + elements / 37) {
        want[count++] = i;
    }
    for (uint64_t i = 0; i < elements; i++) {
        part[i] = -12345.0;
    }
    out[place].value = part;
    out[place].want = want;
    out[place].want_count = count;
    test_run(fn, args, in, out, NULL);
    for (uint64_t i = 0; i < count; i++) {
        cr_assert(memcmp(&part[want[i]], &full[want[i]], sizeof *part) == 0,
                  "wanted element %llu: %.17g, full run %.17g", (unsigned long long)want[i],
                  part[want[i]], full[want[i]]);
    }
    out[place].value = full;
    out[place].want = NULL;
    out[place].want_count = 0;
}

#endif
