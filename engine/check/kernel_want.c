/* Which elements of a large output are compared. */
#include "engine/check/kernel_case.h"

#include <stdlib.h>

/* Outputs of more elements than ALL_COMPARED are sampled, unless an element costs next to nothing. */
enum { ALL_COMPARED = 20000, ALL_CHEAP = 1 << 20, CHEAP_FLOPS = 64 };
enum { SAMPLES = 2048, EDGE = 64, MOST_MARKS = 4 + 2 * 64 };
enum { MOST_WANTED = SAMPLES + 2 * EDGE + MOST_MARKS * MOST_MARKS };

/* The first two and the last two of [0, count), and both sides of every power of two. */
static unsigned marks_of(uint64_t count, uint64_t *marks)
{
    unsigned n = 0;
    uint64_t last = count - 1;
    marks[n++] = 0;
    marks[n++] = last;
    marks[n++] = last > 0 ? last - 1 : 0;
    for (uint64_t power = 1; power <= last; power *= 2) {
        marks[n++] = power - 1;
        marks[n++] = power;
    }
    return n;
}

static int compare(const void *a, const void *b)
{
    uint64_t x, y;
    x = *(const uint64_t *)a;
    y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ascending, each once. */
static uint64_t sorted(uint64_t *list, uint64_t count)
{
    uint64_t kept = 0;
    qsort(list, count, sizeof *list, compare);
    for (uint64_t i = 0; i < count; i++) {
        if (kept == 0 || list[kept - 1] != list[i]) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

bool ts_kernel_case_want(const struct ts_kernel_case *c, struct ts_kernel_operand *o,
                         struct ts_rng *rng)
{
    struct ts_work work;
    uint64_t rows = ts_case_count(c->info, c->args), all = o->elements, n = 0;
    uint64_t row_marks[MOST_MARKS], column_marks[MOST_MARKS];
    ts_op_work(c->op, c->args, &work);
    if (all <= ALL_COMPARED || (all <= ALL_CHEAP && work.flops <= CHEAP_FLOPS * all)) {
        return true;
    }
    o->want = malloc(MOST_WANTED * sizeof *o->want);
    if (!o->want) {
        return false;
    }
    for (uint64_t i = 0; i < EDGE; i++) {
        o->want[n++] = i;
        o->want[n++] = all - 1 - i;
    }
    for (uint64_t i = 0; i < SAMPLES; i++) { /* one of each of SAMPLES equal parts */
        uint64_t from = i * all / SAMPLES, to = (i + 1) * all / SAMPLES;
        o->want[n++] = from + ts_rng_below(rng, to - from);
    }
    rows = rows > 0 && all % rows == 0 ? rows : 1;
    unsigned row_count = marks_of(rows, row_marks), columns = marks_of(all / rows, column_marks);
    for (unsigned r = 0; r < row_count; r++) {
        for (unsigned k = 0; k < columns; k++) {
            o->want[n++] = row_marks[r] * (all / rows) + column_marks[k];
        }
    }
    o->want_count = sorted(o->want, n);
    return true;
}
