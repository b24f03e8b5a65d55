/* The counters: every number computed by hand, alone and beside the checking mode. */
#include "counters.h"

struct expected {
    const char *kernel;
    uint32_t threads, groups;
    struct sm_traffic loads, stores; /* in the order of sm_traffic */
};

static const struct expected kernels[] = {
    {"copy", 64, 4, {1024, 1024, 1024, 1024, 8, 8}, {1024, 1024, 1024, 1024, 8, 8}},
    {"strided", 64, 4, {1024, 1024, 1024, 1024, 8, 256}, {1024, 1024, 1024, 1024, 8, 8}},
    {"shifted", 64, 4, {1024, 1024, 1024, 1024, 8, 16}, {1024, 1024, 1024, 1024, 8, 8}},
    {"again", 64, 4, {2048, 256, 64, 64, 16, 16}, {1024, 1024, 1024, 1024, 8, 8}},
    {"vectors", 64, 4, {4096, 4096, 4096, 4096, 8, 32}, {4096, 4096, 4096, 4096, 8, 32}},
    {"whole_vectors", 64, 4, {4096, 4096, 4096, 4096, 8, 32}, {4096, 4096, 4096, 4096, 8, 32}},
    {"packed", 64, 4, {3072, 3072, 3072, 3072, 8, 24}, {3072, 3072, 3072, 3072, 8, 24}},
    {"chars", 64, 4, {1024, 1024, 1024, 1024, 8, 8}, {4096, 4096, 4096, 4096, 8, 32}},
    {"rows", 32, 1, {512, 512, 512, 512, 4, 128}, {128, 128, 128, 128, 1, 1}},
    {"uneven", 32, 1, {192, 192, 192, 192, 2, 2}, {128, 128, 128, 128, 1, 1}},
    /* Simdgroups of 32 and 8 lanes that begin at bytes 0, 128, 160, 288, 320 and 448. */
    {"copy", 40, 3, {480, 480, 480, 480, 6, 8}, {480, 480, 480, 480, 6, 8}},
    {"apart", 32, 1, {160, 160, 160, 160, 3, 3}, {128, 128, 128, 128, 1, 1}},
    {"atomics", 64, 4, {1024, 16, 4, 4, 8, 8}, {1024, 16, 4, 4, 8, 8}},
};

Test(softmetal_counters, traffic)
{
    for (int check = 0; check < 2; check++) {
        struct counting c = counting_open(check ? SM_MODE_CHECK : SM_MODE_FAST, NULL);
        for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
            const struct expected *e = &kernels[i];
            struct sm_tally *tally = sm_tally_begin(c.device, e->kernel);
            cr_assert(tally);
            counting_run(&c, tally, e->kernel, e->threads, e->groups);
            const struct sm_counters *k = sm_tally_launch(tally, 0);
            cr_assert(k && strcmp(k->name, e->kernel) == 0);
            expect_traffic(&k->loads, &e->loads, "%s, check %d, loads", e->kernel, check);
            expect_traffic(&k->stores, &e->stores, "%s, check %d, stores", e->kernel, check);
            cr_expect(k->launches == 1 && k->threadgroups == e->groups, "%s", e->kernel);
            cr_assert(sm_tally_end(tally, true, NULL));
        }
        counting_close(&c);
    }
}

/* Loads through one argument, stores through the other, also where both are the same memory. */
Test(softmetal_counters, buffers)
{
    struct counting c = counting_open(SM_MODE_FAST, NULL);
    sm_name_buffer(c.device, c.x, c.x, BYTES, "old");
    sm_name_buffer(c.device, c.x, c.x, BYTES, "x");
    for (int same = 0; same < 2; same++) {
        void *y = c.y;
        c.y = same ? c.x : y;
        struct sm_tally *tally = sm_tally_begin(c.device, NULL);
        counting_run(&c, tally, "copy", 64, 4);
        const struct sm_counters *k = sm_tally_launch(tally, 0), *all = sm_tally_counters(tally);
        cr_assert(k->buffer_count == 2);
        const struct sm_counted *in = counted_in(k, "x", 0),
                                *out = counted_in(k, same ? "x" : "", 1);
        cr_assert(in && out);
        expect_traffic(&in->loads, &kernels[0].loads, "loads of argument 0, same %d", same);
        expect_traffic(&in->stores, &(struct sm_traffic){0}, "stores of argument 0, same %d", same);
        expect_traffic(&out->stores, &kernels[0].stores, "stores of argument 1, same %d", same);
        expect_traffic(&out->loads, &(struct sm_traffic){0}, "loads of argument 1, same %d", same);
        cr_expect(all->buffer_count == (same ? 1 : 2), "by label: %zu", all->buffer_count);
        c.y = y;
        sm_tally_end(tally, true, NULL);
    }
    counting_close(&c);
}

/* Two arguments in one buffer: an address belongs to the one that begins last before it. */
Test(softmetal_counters, offsets)
{
    struct counting c = counting_open(SM_MODE_FAST, NULL);
    float *y = c.y;
    c.y = c.x + 128;
    struct sm_tally *tally = sm_tally_begin(c.device, NULL);
    counting_run(&c, tally, "copy", 32, 4); /* reads floats 0 to 127, writes 128 to 255 */
    const struct sm_counters *k = sm_tally_launch(tally, 0);
    cr_expect(counted_in(k, "", 0)->loads.bytes == 512 && counted_in(k, "", 0)->stores.bytes == 0);
    cr_expect(counted_in(k, "", 1)->stores.bytes == 512 && counted_in(k, "", 1)->loads.bytes == 0);
    sm_tally_end(tally, true, NULL);
    c.y = y;
    counting_close(&c);
}

Test(softmetal_counters, ranges)
{
    static const struct {
        const char *name;
        uint64_t bytes;
        struct sm_traffic loads;
    } expected[] = {
        {"a", 448, {448, 448, 448, 448, 4, 4}},
        {"b", 448, {448, 448, 448, 448, 4, 4}},
        {"c", 128, {128, 128, 128, 128, 2, 2}},
    };
    struct counting c = counting_open(SM_MODE_FAST, NULL);
    sm_name_range(c.device, c.x, c.x, 512, "a");
    sm_name_range(c.device, c.x, (char *)c.x + 512, 512, "b");
    sm_name_range(c.device, c.x, (char *)c.x + 448, 128, "c");
    struct sm_tally *tally = sm_tally_begin(c.device, NULL);
    counting_run(&c, tally, "copy", 64, 4);
    const struct sm_counters *k = sm_tally_launch(tally, 0);
    expect_traffic(&k->loads, &kernels[0].loads, "all");
    expect_traffic(&counted_in(k, "", 0)->loads, &kernels[0].loads, "argument 0");
    cr_expect(k->range_count == 3, "%zu ranges", k->range_count);
    for (size_t i = 0; i < 3; i++) {
        const struct sm_counted *r = range_in(k, expected[i].name);
        cr_assert(r, "%s", expected[i].name);
        cr_expect(r->bytes == expected[i].bytes, "%s has %" PRIu64, r->name, r->bytes);
        expect_traffic(&r->loads, &expected[i].loads, "range %s", r->name);
        expect_traffic(&r->stores, &(struct sm_traffic){0}, "range %s", r->name);
    }
    sm_forget_ranges(c.device, c.x);
    sm_name_range(c.device, c.y, c.y, 4, "d");
    counting_run(&c, tally, "copy", 64, 4);
    k = sm_tally_launch(tally, 1);
    cr_expect(k->range_count == 1 && range_in(k, "d")->stores.bytes == 4, "after forgetting");
    cr_expect(range_in(k, "d")->loads.bytes == 0);
    sm_tally_end(tally, true, NULL);
    counting_close(&c);
}

/* One lane's access lies in two ranges. */
Test(softmetal_counters, straddling)
{
    static const struct sm_traffic head = {8, 8, 8, 8, 1, 1},
                                   rest = {4088, 4088, 4088, 4088, 8, 32};
    struct counting c = counting_open(SM_MODE_FAST, NULL);
    sm_name_range(c.device, c.x, c.x, BYTES, "rest");
    sm_name_range(c.device, c.x, c.x, 8, "head");
    for (int whole = 0; whole < 2; whole++) {
        struct sm_tally *tally = sm_tally_begin(c.device, NULL);
        counting_run(&c, tally, whole ? "whole_vectors" : "vectors", 64, 4);
        const struct sm_counters *k = sm_tally_counters(tally);
        expect_traffic(&range_in(k, "head")->loads, &head, "head, whole %d", whole);
        expect_traffic(&range_in(k, "rest")->loads, &rest, "rest, whole %d", whole);
        cr_expect(k->loads.accesses == 8 && k->loads.lines == 32, "both");
        sm_tally_end(tally, true, NULL);
    }
    counting_close(&c);
}

/* A range for each float, and one name for several. */
Test(softmetal_counters, many_ranges)
{
    enum { COUNT = 5000 };
    struct counting c = counting_open(SM_MODE_FAST, NULL);
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d", i / 2);
        sm_name_range(c.device, c.x, c.x + i, 4, name);
    }
    struct sm_tally *tally = sm_tally_begin(c.device, NULL);
    counting_run(&c, tally, "copy", 64, 64);
    const struct sm_counters *k = sm_tally_counters(tally);
    cr_assert(k->range_count == 2048, "%zu", k->range_count);
    const struct sm_traffic each = {8, 8, 8, 8, 1, 1};
    for (size_t i = 0; i < k->range_count; i++) {
        expect_traffic(&k->ranges[i].loads, &each, "range %s", k->ranges[i].name);
        cr_expect(k->ranges[i].bytes == 8);
    }
    cr_expect(k->loads.accesses == 128 && k->loads.lines == 128);
    sm_tally_end(tally, true, NULL);
    counting_close(&c);
}

/* Barriers, operations and threadgroup memory: two simdgroups in each of three threadgroups. */
Test(softmetal_counters, operations)
{
    for (int check = 0; check < 2; check++) {
        struct counting c = counting_open(check ? SM_MODE_CHECK : SM_MODE_FAST, NULL);
        struct sm_tally *tally = sm_tally_begin(c.device, NULL);
        counting_run(&c, tally, "operations", 64, 3);
        const struct sm_counters *k = sm_tally_counters(tally);
        cr_expect(k->threadgroups == 3, "check %d: %" PRIu64, check, k->threadgroups);
        cr_expect(k->barriers == 9, "check %d: %" PRIu64, check, k->barriers);
        cr_expect(k->simdgroup_barriers == 12, "check %d: %" PRIu64, check, k->simdgroup_barriers);
        cr_expect(k->simd_operations == 24, "check %d: %" PRIu64, check, k->simd_operations);
        cr_expect(k->threadgroup_loaded == 768 && k->threadgroup_stored == 768,
                  "check %d: %" PRIu64 " and %" PRIu64, check, k->threadgroup_loaded,
                  k->threadgroup_stored);
        cr_expect(k->matrix_loads + k->matrix_stores + k->matrix_multiplies == 0);
        sm_tally_end(tally, true, NULL);
        counting_close(&c);
    }
}

/* One tile whose rows are neighbours, and one with rows 256 bytes apart. */
Test(softmetal_counters, matrices)
{
    static const struct sm_traffic loads = {1024, 1024, 512, 512, 4, 20},
                                   stores = {512, 512, 512, 512, 2, 4};
    for (int check = 0; check < 2; check++) {
        struct counting c = counting_open(check ? SM_MODE_CHECK : SM_MODE_FAST, NULL);
        struct sm_tally *tally = sm_tally_begin(c.device, NULL);
        counting_run(&c, tally, "matrices", 32, 2);
        const struct sm_counters *k = sm_tally_counters(tally);
        expect_traffic(&k->loads, &loads, "check %d, loads", check);
        expect_traffic(&k->stores, &stores, "check %d, stores", check);
        cr_expect(k->matrix_loads == 4, "check %d: %" PRIu64, check, k->matrix_loads);
        cr_expect(k->matrix_stores == 2, "check %d: %" PRIu64, check, k->matrix_stores);
        cr_expect(k->matrix_multiplies == 2, "check %d: %" PRIu64, check, k->matrix_multiplies);
        cr_expect(k->simd_operations == 0, "check %d: %" PRIu64, check, k->simd_operations);
        sm_tally_end(tally, true, NULL);
        counting_close(&c);
    }
}
