/* Norm, RoPE, Hadamard and the round trips: budgets that pass honest float32 twins and no bug. */
#include "tests/support/budget.h"

TestSuite(reference_dense, .fini = test_free_all);

enum { SEEDS = 5 };

/* ---- rms_norm -------------------------------------------------------------------------------- */

struct norm_bug {
    const char *name;
    uint64_t dropped, shift; /* elements missing in the mean; weights moved by */
    bool no_epsilon;
    enum test_order order;
};

static float *norm_twin(const struct ts_rms_norm_args *a, const double *x, const double *weight,
                        const struct norm_bug *bug)
{
    uint64_t width = a->width;
    float *y = test_alloc(a->rows * width * sizeof *y);
    for (uint64_t r = 0; r < a->rows; r++) {
        float *row = test_floats(x + r * width, width);
        float sum = test_dot(row, row, width - bug->dropped, bug->order);
        float root = sqrtf(sum / (float)width + (bug->no_epsilon ? 0.0f : a->epsilon));
        for (uint64_t i = 0; i < width; i++) {
            float w = weight ? (float)weight[(i + bug->shift) % width] : 1.0f;
            y[r * width + i] = row[i] * (1.0f / root) * w;
        }
    }
    return y;
}

static void check_norm(uint64_t seed, double size, bool weighted, double *worst)
{
    static const struct norm_bug bugs[] = {
        {"reversed", 0, 0, false, REVERSED},
        {"pairwise", 0, 0, false, PAIRWISE},
        {"blocked", 0, 0, false, BLOCKED},
        {"half accumulation claimed as float", 0, 0, false, HALF},
        {"last element dropped", 1, 0, false, REVERSED},
        {"next weight", 0, 1, false, REVERSED},
        {"no epsilon", 0, 0, true, REVERSED},
    };
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    struct ts_rms_norm_args args = {3, 129 + 64 * (uint32_t)seed, 1e-6f};
    uint64_t count = (uint64_t)args.rows * args.width;
    double *x = test_random(&rng, count, size), *weight = test_random(&rng, args.width, 1.0);
    struct ts_ref_in in[] = {test_in(x), {weighted ? weight : NULL, TS_F64, NULL}};
    struct ts_ref_out out = test_out(count);
    test_run_claim(ts_ref_rms_norm, &args, in, &out, &test_float_claim);
    for (unsigned b = 0; b < sizeof bugs / sizeof bugs[0]; b++) {
        float *y = norm_twin(&args, x, weighted ? weight : NULL, &bugs[b]);
        double rho = test_rho(&out, y, count);
        if (b < HONEST_ORDERS) {
            test_pass(rho, worst, "rms_norm", seed);
        } else if ((b != 5 || weighted) && (b != 6 || size < 0.1)) {
            test_caught(rho, "rms_norm", bugs[b].name, seed);
        }
    }
    out.err = NULL;
    test_wanted(ts_ref_rms_norm, &args, in, &out, 0, count);
}

Test(reference_dense, rms_norm)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        check_norm(seed, 1.0, true, &worst);
        check_norm(seed, 1e-3, false, &worst);
    }
    test_not_absurd(worst, "rms_norm");
}

/* Inputs anywhere within the errors carried in stay within the budget, far beyond they do not. */
Test(reference_dense, rms_norm_carries_errors)
{
    static const struct norm_bug none = {"", 0, 0, false, BLOCKED};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        struct ts_rms_norm_args args = {2, 200, 1e-6f};
        double *x = test_random(&rng, 400, 1.0), *err = test_reals(400), *moved = test_reals(400);
        for (int i = 0; i < 400; i++) {
            err[i] = 1e-3 * fabs(ts_rng_gauss(&rng));
        }
        struct ts_ref_in in[] = {{x, TS_F64, err}, {NULL, TS_F32, NULL}};
        struct ts_ref_out out = test_out(400);
        test_run_claim(ts_ref_rms_norm, &args, in, &out, &test_float_claim);
        for (int beyond = 0; beyond < 2; beyond++) {
            for (int i = 0; i < 400; i++) { /* all away from zero: the mean moves too */
                moved[i] = x[i] + (beyond ? 3.0 : 1.0) * (x[i] < 0 ? -err[i] : err[i]);
            }
            double rho = test_rho(&out, norm_twin(&args, moved, NULL, &none), 400);
            cr_expect(beyond ? rho > 1 : rho <= 1, "seed %llu: rho %g", (unsigned long long)seed,
                      rho);
        }
    }
}

/* ---- rope ------------------------------------------------------------------------------------ */

enum rope_bug { ROPE_NONE, ROPE_SINE, ROPE_FIRST, ROPE_NEIGHBOUR, ROPE_HALVES, ROPE_BUGS };
static const char *const rope_bugs[ROPE_BUGS] = {"", "sign of the sine", "first dims rotated",
                                                 "next token's angles", "halves, not pairs"};

static float *rope_twin(const struct ts_rope_args *a, const double *x, const float *angles,
                        enum rope_bug bug)
{
    uint64_t rows = (uint64_t)a->tokens * a->heads, pairs = a->rotary / 2;
    float *y = test_floats(x, rows * a->width);
    for (uint64_t r = 0; r < rows; r++) {
        uint64_t t = (r / a->heads + (bug == ROPE_NEIGHBOUR)) % a->tokens;
        float *row = y + r * a->width + (bug == ROPE_FIRST ? 0 : a->width - a->rotary);
        for (uint64_t k = 0; k < pairs; k++) {
            uint64_t i = bug == ROPE_HALVES ? k : 2 * k, j = bug == ROPE_HALVES ? k + pairs : i + 1;
            float c = angles[(t * pairs + k) * 2], s = angles[(t * pairs + k) * 2 + 1];
            s = (a->inverse != 0) == (bug == ROPE_SINE) ? s : -s;
            float x0 = row[i], x1 = row[j];
            row[i] = fmaf(x0, c, -(x1 * s)); /* as a GPU would */
            row[j] = fmaf(x0, s, x1 * c);
        }
    }
    return y;
}

Test(reference_dense, rope)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        struct ts_rope_args args = {3, 2, 37, 24, seed % 2};
        double *x = test_random(&rng, 3 * 2 * 37, 1.0), *angles = test_reals(3 * 24);
        for (int i = 0; i < 3 * 12; i++) {
            double angle = 100.0 * ts_rng_uniform(&rng);
            angles[2 * i] = (double)(float)cos(angle);
            angles[2 * i + 1] = (double)(float)sin(angle);
        }
        float *angles32 = test_floats(angles, 3 * 24);
        struct ts_ref_in in[] = {test_in(x), test_in(angles)};
        struct ts_ref_out out = test_out(3 * 2 * 37);
        test_run_claim(ts_ref_rope, &args, in, &out, &test_float_claim);
        test_pass(test_rho(&out, rope_twin(&args, x, angles32, ROPE_NONE), 3 * 2 * 37), &worst,
                  "rope", seed);
        for (int bug = 1; bug < ROPE_BUGS; bug++) {
            float *y = rope_twin(&args, x, angles32, (enum rope_bug)bug);
            test_caught(test_rho(&out, y, 3 * 2 * 37), "rope", rope_bugs[bug], seed);
        }
        out.err = NULL;
        test_wanted(ts_ref_rope, &args, in, &out, 0, 3 * 2 * 37);
    }
    test_not_absurd(worst, "rope");
}

/* ---- hadamard -------------------------------------------------------------------------------- */

/* Straight from the definition of the matrix. */
static float *hadamard_twin(const double *x, uint32_t rows, uint32_t width, uint32_t dropped,
                            bool unscaled, enum test_order order)
{
    float *y = test_alloc(rows * width * sizeof *y);
    float *signs = test_alloc(width * sizeof *signs), scale = 1.0f / sqrtf((float)width);
    for (uint32_t i = 0; i < rows * width; i++) {
        for (uint32_t j = 0; j < width; j++) {
            unsigned both = (i % width) & j;
            int odd = 0;
            for (; both; both &= both - 1) {
                odd ^= 1;
            }
            signs[j] = odd ? -1.0f : 1.0f;
        }
        float *row = test_floats(x + i / width * width, width);
        y[i] = test_dot(signs, row, width - dropped, order) * (unscaled ? 1.0f : scale);
    }
    return y;
}

Test(reference_dense, hadamard)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        uint32_t width = 4u << seed; /* 8 to 128 */
        struct ts_hadamard_args args = {3, width};
        uint64_t count = 3ull * width;
        double *x = test_random(&rng, count, 1.0);
        struct ts_ref_in in = test_in(x);
        struct ts_ref_out out = test_out(count);
        test_run_claim(ts_ref_hadamard, &args, &in, &out, &test_float_claim);
        for (int order = 0; order < HONEST_ORDERS; order++) {
            float *y = hadamard_twin(x, 3, width, 0, false, (enum test_order)order);
            test_pass(test_rho(&out, y, count), &worst, "hadamard", seed);
        }
        test_caught(test_rho(&out, hadamard_twin(x, 3, width, 1, false, REVERSED), count),
                    "hadamard", "last element dropped", seed);
        test_caught(test_rho(&out, hadamard_twin(x, 3, width, 0, true, REVERSED), count),
                    "hadamard", "no scale", seed);
        test_caught(test_rho(&out, hadamard_twin(x, 3, width, 0, false, HALF), count), "hadamard",
                    "half accumulation claimed as float", seed);
        out.err = NULL;
        test_wanted(ts_ref_hadamard, &args, &in, &out, 0, count);
    }
    test_not_absurd(worst, "hadamard");
}

/* Inputs and angles within the errors carried in pass; with twenty times these they do not. */
Test(reference_dense, rotations_carry_errors)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        double *x = test_random(&rng, 3 * 64, 1.0), *angles = test_random(&rng, 3 * 32, 1.0);
        double *moved, *moved_angles;
        struct ts_ref_in in[] = {test_carrying(&rng, x, 3 * 64, 1e-3, &moved),
                                 test_carrying(&rng, angles, 3 * 32, 1e-3, &moved_angles)};
        struct ts_rope_args rope = {3, 1, 64, 32, seed % 2};
        struct ts_hadamard_args hadamard = {3, 64};
        struct ts_ref_out out = test_out(3 * 64);
        test_run_claim(ts_ref_rope, &rope, in, &out, &test_float_claim);
        float *y = rope_twin(&rope, moved, test_floats(moved_angles, 3 * 32), ROPE_NONE);
        test_pass(test_rho(&out, y, 3 * 64), &worst, "rope", seed);
        test_run_claim(ts_ref_hadamard, &hadamard, in, &out, &test_float_claim);
        y = hadamard_twin(moved, 3, 64, 0, false, BLOCKED);
        test_pass(test_rho(&out, y, 3 * 64), &worst, "hadamard", seed);
        for (int i = 0; i < 3 * 64; i++) {
            moved[i] = x[i] + 20 * (moved[i] - x[i]);
        }
        y = rope_twin(&rope, moved, test_floats(angles, 3 * 32), ROPE_NONE);
        test_caught(test_rho(&out, hadamard_twin(moved, 3, 64, 0, false, BLOCKED), 3 * 64),
                    "hadamard", "input far beyond its error", seed);
        test_run_claim(ts_ref_rope, &rope, in, &out, &test_float_claim);
        test_caught(test_rho(&out, y, 3 * 64), "rope", "input far beyond its error", seed);
    }
    cr_expect(worst > 0.1, "carried errors use only %g of the budget", worst);
}

/* ---- round trips ----------------------------------------------------------------------------- */

enum trip_bug { TRIP_NONE, TRIP_FLOOR, TRIP_TRUNCATE, TRIP_SCALE, TRIP_ALL, TRIP_BUGS };
static const char *const trip_bugs[TRIP_BUGS] = {"", "scale rounded down", "truncated",
                                                 "scale of the next block", "copied dims rounded"};

struct trip {
    const char *name;
    uint32_t width, rounded, block;
    double largest, least_floor;
    bool fp4;
};
static const struct trip trips[2] = {{"fp8_round", 200, 192, 64, 448.0, 1e-4, false},
                                     {"fp4_round", 128, 128, 32, 6.0, 6 * 0x1p-126, true}};
enum { TRIP_ROWS = 5 };

static double trip_scale(const struct trip *trip, const double *x, bool down)
{
    double largest = trip->least_floor;
    for (uint32_t i = 0; i < trip->block; i++) {
        largest = fmax(largest, fabs(x[i]));
    }
    double log = log2(largest / trip->largest);
    return exp2(down ? floor(log) : ceil(log));
}

/* A kernel that looks for the nearest code, in float32. */
static float *trip_twin(const struct trip *trip, const double *x, enum trip_bug bug)
{
    float *y = test_floats(x, (uint64_t)TRIP_ROWS * trip->width);
    uint32_t rounded = bug == TRIP_ALL ? trip->width : trip->rounded;
    for (uint32_t i = 0; i < TRIP_ROWS * trip->width; i++) {
        uint32_t column = i % trip->width, block = column / trip->block;
        if (column >= rounded) {
            continue;
        }
        uint32_t whole = trip->rounded / trip->block;
        block = block < whole ? (block + (bug == TRIP_SCALE)) % whole : whole - 1;
        const double *from = x + i / trip->width * trip->width + block * trip->block;
        double s = trip_scale(trip, from, bug == TRIP_FLOOR), best = 0;
        for (unsigned code = 0; code < (trip->fp4 ? 8u : 127u); code++) {
            double value =
                trip->fp4 ? ts_e2m1_to_real((uint8_t)code) : ts_e4m3_to_real((uint8_t)code);
            double now = fabs(fabs(x[i]) / s - value), old = fabs(fabs(x[i]) / s - best);
            bool nearer = now < old || (now == old && code % 2 == 0);
            best = bug == TRIP_TRUNCATE ? (value <= fabs(x[i]) / s ? value : best)
                                        : (nearer ? value : best);
        }
        y[i] = (float)copysign(best * s, x[i]);
    }
    return y;
}

static void run_trip(const struct trip *trip, const struct ts_ref_in *in, struct ts_ref_out *out)
{
    struct ts_fp8_round_args fp8 = {TRIP_ROWS, trip->width, trip->rounded};
    struct ts_fp4_round_args fp4 = {TRIP_ROWS, trip->width};
    const void *args = trip->fp4 ? (const void *)&fp4 : &fp8;
    ts_ref_fn *fn = trip->fp4 ? ts_ref_fp4_round : ts_ref_fp8_round;
    test_run_claim(fn, args, in, out, &test_float_claim);
}

/* Blocks of very different sizes, zeros and ties among them. */
static double *trip_inputs(const struct trip *trip, uint64_t seed)
{
    struct ts_rng rng;
    ts_rng_seed(&rng, seed);
    double *x = test_random(&rng, (uint64_t)TRIP_ROWS * trip->width, 1.0);
    for (uint32_t i = 0; i < TRIP_ROWS * trip->width; i++) {
        x[i] = ldexp(x[i], (int)(i / trip->block * 7 % 23) - 12);
        x[i] = i % 11 == 0 ? 0.0 : (i % 7 == 0 ? ldexp(rint(x[i] * 64), -6) : x[i]);
    }
    return x;
}

/* By itself a round trip is bit-exact: one wrong code is too much. */
Test(reference_dense, round_trips)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (int k = 0; k < 2; k++) {
            const struct trip *trip = &trips[k];
            uint64_t count = (uint64_t)TRIP_ROWS * trip->width;
            double *x = trip_inputs(trip, seed);
            struct ts_ref_in in = test_in(x);
            struct ts_ref_out out = test_out(count);
            run_trip(trip, &in, &out);
            float *y = trip_twin(trip, x, TRIP_NONE);
            for (uint64_t i = 0; i < count; i++) {
                cr_assert((double)y[i] == out.value[i], "%s, seed %llu, element %llu: %g, not %g",
                          trip->name, (unsigned long long)seed, (unsigned long long)i, out.value[i],
                          (double)y[i]);
            }
            cr_expect(test_rho(&out, y, count) == 0);
            for (int bug = 1; bug < (trip->fp4 ? TRIP_ALL : TRIP_BUGS); bug++) {
                y = trip_twin(trip, x, (enum trip_bug)bug);
                test_caught(test_rho(&out, y, count), trip->name, trip_bugs[bug], seed);
            }
        }
    }
}

/* With errors carried in, the rounding of any input within them passes, also where a block's scale
 * doubles; yet the budget stays within a code or two where no scale is in doubt. */
Test(reference_dense, round_trips_carry_errors)
{
    double worst = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const struct trip *trip = &trips[seed % 2];
        uint64_t count = (uint64_t)TRIP_ROWS * trip->width;
        struct ts_rng rng;
        ts_rng_seed(&rng, seed);
        double *x = trip_inputs(trip, seed), *err = test_reals(count), *moved = test_reals(count);
        for (uint64_t i = 0; i < count; i++) {
            if (i % trip->block == 5) { /* the largest: just below a power of two times Q */
                x[i] = ldexp(trip->largest, (int)(i / trip->block % 5)) * (1 - 1e-5);
            }
            err[i] = 1e-4 * fabs(x[i]);
            moved[i] = x[i] + (2 * ts_rng_uniform(&rng) - 1) * 0.999 * err[i];
        }
        struct ts_ref_in in = {x, TS_F64, err};
        struct ts_ref_out out = test_out(count);
        run_trip(trip, &in, &out);
        double rho = test_rho(&out, trip_twin(trip, moved, TRIP_NONE), count);
        test_pass(rho, &worst, trip->name, seed);
        for (uint64_t i = 0; i < count; i++) {
            moved[i] = x[i] * 1.2;
        }
        rho = test_rho(&out, trip_twin(trip, moved, TRIP_NONE), count);
        test_caught(rho, trip->name, "input far beyond its error", seed);
    }
    cr_expect(worst > 0.5, "no code was flipped: %g", worst);
}

/* A block that is not finite is NaN throughout, its neighbours are untouched. */
Test(reference_dense, round_trips_of_infinity)
{
    static const double bad[2] = {INFINITY, NAN};
    for (int k = 0; k < 4; k++) {
        const struct trip *trip = &trips[k % 2];
        uint64_t count = (uint64_t)TRIP_ROWS * trip->width;
        double *x = trip_inputs(trip, 3);
        x[trip->block + 3] = bad[k / 2];
        struct ts_ref_in in = test_in(x);
        struct ts_ref_out out = test_out(count);
        run_trip(trip, &in, &out);
        for (uint64_t i = 0; i < count; i++) {
            bool inside = i / trip->block == 1;
            cr_assert(isnan(out.value[i]) == inside, "%s, element %d: %g", trip->name, (int)i,
                      out.value[i]);
        }
    }
}
