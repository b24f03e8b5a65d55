/* xoshiro256++ (Blackman and Vigna, public domain algorithm), seeded through splitmix64: the one
 * source of randomness, so that every seed replays on every machine. */
#ifndef TS_BASE_RNG_H
#define TS_BASE_RNG_H

#include <stdint.h>

struct ts_rng {
    uint64_t state[4];
};

void ts_rng_seed(struct ts_rng *rng, uint64_t seed);
uint64_t ts_rng_next(struct ts_rng *rng);
double ts_rng_uniform(struct ts_rng *rng);                 /* [0, 1), 53 bits */
uint64_t ts_rng_below(struct ts_rng *rng, uint64_t bound); /* [0, bound), unbiased; bound > 0 */
double ts_rng_gauss(struct ts_rng *rng);                   /* mean 0, standard deviation 1 */
/* Nearly as much, from one draw: the sum of four uniform numbers, mean 0, deviation 1, at most 3.5. For
 * large inputs, where logarithm and cosine would be most of the work. */
double ts_rng_bell(struct ts_rng *rng);

#endif
