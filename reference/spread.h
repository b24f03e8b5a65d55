/* How large the partial sums of a sum can be, whatever the order in which a kernel adds.
 *
 * The rounding error of a sum is the sum over its additions of a relative error of at most u times the
 * partial sum P that it makes. Taken as independent and of mean zero, these errors stay, all outputs
 * together but with probability 1e-6, within lambda * u * sqrt(sum P^2) (Higham and Mary 2019, theorem
 * 2.4, by Hoeffding's inequality). S = sum |p_j| bounds every P, which gives their lambda * sqrt(n) * u
 * * S. But where products have random signs P is of the size of the root of their squares, and the bound
 * is sqrt(n) times too wide: it cannot tell float from half (Higham and Mary, Sharper probabilistic
 * backward error analysis for random data, SIAM J. Sci. Comput. 42 (2020)). What sum P^2 is depends on
 * the order. Let no product go through more than d additions. If signs are independent, the mean of
 * sum P^2 is sum_j d_j p_j^2 <= d * Q, Q = sum p_j^2. For products of other kinds there is no such
 * formula, but there are the sums of groups of products: T is the largest, over sizes g of groups, of the
 * sum of squares of the sums of groups. Groups are the runs of 1, 2, 4 ... products, those 1, 2, 4 ... 256
 * apart, and all. The bound takes
 *
 *     sum P^2 <= d * T.
 *
 * Products of one sign: T = S^2, and the bound is the old one. Signs that go along (offsets of a block of
 * weights, sorted products, one half above and the other below 0): the group of that size has it. A chain
 * through products in their order: each P is a sum of runs, at most one of each size, so that by the
 * inequality of Minkowski sum P^2 <= 5.9 n T for ANY products, and the factor is below 1 unless runs of
 * all sizes have the same sign and the same T; a rounding error, uniform in half a unit, has a variance of
 * at most u^2 P^2 / 3, which covers half of it. */
#ifndef TS_REFERENCE_SPREAD_H
#define TS_REFERENCE_SPREAD_H

#include <stdint.h>

/* Products handed over at a time, all but the last time exactly; runs of up to 2^(8 + LEVELS). */
enum { TS_SPREAD_PIECE = 256, TS_SPREAD_LEVELS = 32 };

struct ts_spread {
    double S;
    double squares; /* of single products */
    double runs[8]; /* of runs of 2, 4 ... 256 */
    double longer[TS_SPREAD_LEVELS],
        pending[TS_SPREAD_LEVELS]; /* of runs of 512 ..., and those begun */
    double apart[TS_SPREAD_PIECE]; /* sums of products 256 apart */
    uint64_t pieces;
};

/* All zero is none. Adds `count` products, a piece or the last ones; they are overwritten. */
void ts_spread_add(struct ts_spread *spread, double *products, uint64_t count);

/* T of all that were added. */
double ts_spread_largest(const struct ts_spread *spread);

#endif
