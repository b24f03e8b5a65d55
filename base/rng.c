#include "base/rng.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void ts_rng_seed(struct ts_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        rng->state[i] = splitmix(&seed);
    }
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t ts_rng_next(struct ts_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double ts_rng_uniform(struct ts_rng *rng)
{
    return (double)(ts_rng_next(rng) >> 11) * 0x1p-53;
}

uint64_t ts_rng_below(struct ts_rng *rng, uint64_t bound)
{
    uint64_t threshold = (0 - bound) % bound; /* values below it would favour small results */
    uint64_t x;
    do {
        x = ts_rng_next(rng);
    } while (x < threshold);
    return x % bound;
}

double ts_rng_gauss(struct ts_rng *rng)
{
    double u = 1.0 - ts_rng_uniform(rng); /* (0, 1]: the logarithm stays finite */
    double v = ts_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}

double ts_rng_bell(struct ts_rng *rng)
{
    uint64_t bits = ts_rng_next(rng);
    double sum = (double)(bits & 0xffff) + (double)(bits >> 16 & 0xffff) +
                 (double)(bits >> 32 & 0xffff) + (double)(bits >> 48);
    return (sum - 2.0 * 65535.0) * (1.7320508075688772 / 65536.0);
}
