#include "reference/spread.h"

#include <math.h>
#include <string.h>

static double larger(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}

/* Sums of neighbours take the place of numbers; returns their sum of squares. */
static double fold_runs(double *values, uint64_t count)
{
    double even = 0.0, odd = 0.0;
    for (uint64_t i = 0; i + 2 <= count; i += 2) {
        double a = values[2 * i] + values[2 * i + 1], b = values[2 * i + 2] + values[2 * i + 3];
        values[i] = a;
        values[i + 1] = b;
        even += a * a;
        odd += b * b;
    }
    if (count % 2 == 1) {
        double a = values[2 * count - 2] + values[2 * count - 1];
        values[count - 1] = a;
        even += a * a;
    }
    return even + odd;
}

/* A run of 256 ends; those of 512 and more are put together as the carries of a binary counter go. */
static void add_run(struct ts_spread *spread, double sum)
{
    uint64_t number = spread->pieces++;
    unsigned level = 0;
    for (; level + 1 < TS_SPREAD_LEVELS && (number >> level & 1) != 0; level++) {
        sum += spread->pending[level];
        spread->longer[level] += sum * sum;
    }
    spread->pending[level] = sum;
}

void ts_spread_add(struct ts_spread *spread, double *products, uint64_t count)
{
    double S = 0.0, squares = 0.0;
    for (uint64_t i = 0; i < count; i++) {
        S += fabs(products[i]);
        squares += products[i] * products[i];
        spread->apart[i] += products[i];
    }
    spread->S += S;
    spread->squares += squares;
    memset(products + count, 0, (TS_SPREAD_PIECE - count) * sizeof *products);
    for (unsigned level = 0; level < 8; level++) {
        spread->runs[level] += fold_runs(products, TS_SPREAD_PIECE >> (level + 1));
    }
    add_run(spread, products[0]);
}

double ts_spread_largest(const struct ts_spread *spread)
{
    double apart[TS_SPREAD_PIECE], largest = spread->squares, rest = 0.0;
    memcpy(apart, spread->apart, sizeof apart);
    for (unsigned level = 0; level < 8; level++) {
        largest = larger(spread->runs[level], largest);
    }
    for (unsigned level = 0; level < TS_SPREAD_LEVELS; level++) {
        double unfinished = 0.0; /* the last run of this size, which the end cut off */
        if ((spread->pieces >> level & 1) != 0) {
            rest += spread->pending[level];
            unfinished = rest * rest;
        }
        largest = larger(spread->longer[level] + unfinished, largest);
    }
    for (unsigned count = TS_SPREAD_PIECE; count > 0; count /= 2) {
        double squares = 0.0;
        for (unsigned i = 0; i < count; i++) {
            squares += apart[i] * apart[i];
        }
        largest = larger(squares, largest);
        for (unsigned i = 0; i < count / 2; i++) {
            apart[i] += apart[i + count / 2];
        }
    }
    return largest;
}
