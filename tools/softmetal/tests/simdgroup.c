/* simd_*, quad_* and barriers: all 32 lanes, partial simdgroups, divergence. */
#include "support.h"

/* A row's expression is evaluated by every lane in `mask`; `want` gives what a lane must see. The
 * value of a lane is x = lane + 1. */
struct row {
    const char *expression;
    double (*want)(unsigned lane, uint32_t mask);
};

static bool in(uint32_t mask, unsigned lane)
{
    return lane < 32 && (mask >> lane & 1);
}

static double sum(unsigned lane, uint32_t mask)
{
    double total = 0;
    (void)lane;
    for (unsigned i = 0; i < 32; i++) {
        total += in(mask, i) ? i + 1 : 0;
    }
    return total;
}
static double product2(unsigned lane, uint32_t mask) /* of 2s in the lanes 0 to 3 */
{
    (void)lane;
    return (double)(1u << __builtin_popcount(mask & 15u));
}
static double lowest(unsigned lane, uint32_t mask)
{
    (void)lane;
    return __builtin_ctz(mask) + 1;
}
static double highest(unsigned lane, uint32_t mask)
{
    (void)lane;
    return 32 - __builtin_clz(mask);
}
static double bits_or(unsigned lane, uint32_t mask)
{
    uint32_t all = 0;
    (void)lane;
    for (unsigned i = 0; i < 32; i++) {
        all |= in(mask, i) ? i + 1 : 0;
    }
    return all;
}
static double bits_and(unsigned lane, uint32_t mask)
{
    uint32_t all = UINT32_MAX;
    (void)lane;
    for (unsigned i = 0; i < 32; i++) {
        all &= in(mask, i) ? i + 1 : UINT32_MAX;
    }
    return all;
}
static double bits_xor(unsigned lane, uint32_t mask)
{
    uint32_t all = 0;
    (void)lane;
    for (unsigned i = 0; i < 32; i++) {
        all ^= in(mask, i) ? i + 1 : 0;
    }
    return all;
}
static double all_small(unsigned lane, uint32_t mask)
{
    (void)lane;
    return (mask >> 9) == 0;
}
static double any_nine(unsigned lane, uint32_t mask)
{
    (void)lane;
    return in(mask, 8);
}
static double odd_lanes(unsigned lane, uint32_t mask)
{
    (void)lane;
    return mask & 0xaaaaaaaau;
}
static double members(unsigned lane, uint32_t mask)
{
    (void)lane;
    return mask;
}
static double first_member(unsigned lane, uint32_t mask)
{
    return lane == (unsigned)__builtin_ctz(mask);
}
static double inclusive(unsigned lane, uint32_t mask)
{
    return sum(lane, lane == 31 ? mask : mask & ((2u << lane) - 1));
}
static double exclusive(unsigned lane, uint32_t mask)
{
    return sum(lane, mask & ((1u << lane) - 1));
}
static double inclusive_product2(unsigned lane, uint32_t mask)
{
    return product2(lane, lane == 31 ? mask : mask & ((2u << lane) - 1));
}
static double exclusive_product2(unsigned lane, uint32_t mask)
{
    return product2(lane, mask & ((1u << lane) - 1));
}

/* The value of lane `from`, or the lane's own where `from` takes no part. */
static double taken(unsigned lane, uint32_t mask, int from)
{
    return from >= 0 && from < 32 && in(mask, (unsigned)from) ? from + 1 : (int)lane + 1;
}
static double lane3(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, 3);
}
static double reversed(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, 31 - (int)lane);
}
static double xor5(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)(lane ^ 5));
}
static double up2(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)lane - 2);
}
static double down2(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)lane + 2);
}
static double own(unsigned lane, uint32_t mask)
{
    (void)mask;
    return lane + 1;
}
static double rotate_up3(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)((lane + 29) % 32));
}
static double rotate_down3(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)((lane + 3) % 32));
}
static uint32_t quad(unsigned lane, uint32_t mask)
{
    return mask & (15u << (lane & ~3u));
}
static double quad_sum_of(unsigned lane, uint32_t mask)
{
    return sum(lane, quad(lane, mask));
}
static double quad_highest(unsigned lane, uint32_t mask)
{
    return highest(lane, quad(lane, mask));
}
static double quad_first(unsigned lane, uint32_t mask)
{
    return lowest(lane, quad(lane, mask));
}
static double quad_lane2(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)((lane & ~3u) + 2));
}
static double quad_down1(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)(lane % 4 == 3 ? lane : lane + 1));
}
static double quad_rotate1(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)((lane & ~3u) + (lane + 1) % 4));
}
static double quad_xor3(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)(lane ^ 3));
}
static double quad_prefix(unsigned lane, uint32_t mask)
{
    return exclusive(lane, quad(lane, mask));
}
static double quad_inclusive2(unsigned lane, uint32_t mask)
{
    uint32_t upto = lane == 31 ? mask : mask & ((2u << lane) - 1);
    return (double)(1u << __builtin_popcount(quad(lane, upto)));
}
static double quad_exclusive2(unsigned lane, uint32_t mask)
{
    return (double)(1u << __builtin_popcount(quad(lane, mask & ((1u << lane) - 1))));
}
static double quad_whole2(unsigned lane, uint32_t mask)
{
    return (double)(1u << __builtin_popcount(quad(lane, mask)));
}
static double inclusive_bytes(unsigned lane, uint32_t mask)
{
    return (uint8_t)(uint32_t)inclusive(lane, mask);
}
static double exclusive_eighth(unsigned lane, uint32_t mask)
{
    return __builtin_popcount(mask & 255u & ((1u << lane) - 1));
}
static double quad_inclusive(unsigned lane, uint32_t mask)
{
    return inclusive(lane, quad(lane, mask));
}
static double quad_lowest(unsigned lane, uint32_t mask)
{
    return lowest(lane, quad(lane, mask));
}
static double quad_or_of(unsigned lane, uint32_t mask)
{
    return bits_or(lane, quad(lane, mask));
}
static double quad_and_of(unsigned lane, uint32_t mask)
{
    return bits_and(lane, quad(lane, mask));
}
static double quad_xor_of(unsigned lane, uint32_t mask)
{
    return bits_xor(lane, quad(lane, mask));
}
static double quad_first_member(unsigned lane, uint32_t mask)
{
    return first_member(lane, quad(lane, mask));
}
static double quad_up1(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)(lane % 4 == 0 ? lane : lane - 1));
}
static double quad_rotate_up1(unsigned lane, uint32_t mask)
{
    return taken(lane, mask, (int)((lane & ~3u) + (lane + 3) % 4));
}
static double quad_votes(unsigned lane, uint32_t mask)
{
    return quad(lane, mask) >> (lane & ~3u);
}

static const struct row rows[] = {
    {"simd_sum(x)", sum},
    {"simd_sum(int(x))", sum},
    {"simd_sum(uint(x))", sum},
    {"simd_sum(half(x))", sum},
    {"simd_sum(bfloat(lane < 4 ? 2.0f : 0.0f)) * 0 + simd_sum(short(x))", sum},
    {"simd_sum(ushort(x))", sum},
    {"simd_sum(long(x))", sum},
    {"simd_sum(float4(x, 1, 2, 3)).x", sum},
    {"simd_sum(half2(x, 1)).x", sum},
    {"simd_sum(uint3(x)).z", sum},
    {"simd_product(lane < 4 ? 2.0 : 1.0)", product2},
    {"simd_product(lane < 4 ? 2 : 1)", product2},
    {"simd_min(x)", lowest},
    {"simd_min(int(x) - 40) + 40", lowest},
    {"simd_min(bfloat(x))", lowest},
    {"simd_max(x)", highest},
    {"simd_max(uchar(x))", highest},
    {"simd_max(char(x))", highest},
    {"simd_max(ulong(x) << 40) >> 40", highest},
    {"simd_max(float2(-x, x)).y", highest},
    {"simd_max(lane == 2 ? NAN : x)", highest},
    {"simd_and(uint(x))", bits_and},
    {"simd_or(uint(x))", bits_or},
    {"simd_or(uchar(x))", bits_or},
    {"simd_xor(int(x))", bits_xor},
    {"simd_all(x < 10)", all_small},
    {"simd_any(x == 9)", any_nine},
    {"ulong(simd_ballot(lane % 2 == 1))", odd_lanes},
    {"ulong(simd_active_threads_mask())", members},
    {"simd_is_first()", first_member},
    {"simd_broadcast_first(x)", lowest},
    {"simd_prefix_inclusive_sum(x)", inclusive},
    {"simd_prefix_exclusive_sum(int(x))", exclusive},
    {"simd_prefix_inclusive_product(lane < 4 ? 2.0 : 1.0)", inclusive_product2},
    {"simd_prefix_exclusive_product(lane < 4 ? 2u : 1u)", exclusive_product2},
    {"simd_shuffle(x, 31 - lane)", reversed},
    {"simd_shuffle(half4(x), 31 - lane).w", reversed},
    {"simd_shuffle(ulong4(x), 31 - lane).w", reversed},
    {"simd_shuffle(bfloat(x), 31 - lane)", reversed},
    {"simd_broadcast(x, 3)", lane3},
    {"simd_broadcast(char(x), 3u)", lane3},
    {"simd_shuffle_xor(x, 5)", xor5},
    {"simd_shuffle_up(x, 2)", up2},
    {"simd_shuffle_down(x, 2)", down2},
    {"simd_shuffle_down(x, -2)", own}, /* a negative distance is a large one */
    {"simd_shuffle_up(x, -2)", own},
    {"simd_shuffle_down(x, 40)", own},
    {"simd_shuffle_rotate_up(x, 3)", rotate_up3},
    {"simd_shuffle_rotate_down(x, 3)", rotate_down3},
    {"simd_shuffle_rotate_down(x, 35)", rotate_down3},
    {"quad_sum(x)", quad_sum_of},
    {"quad_max(int(x))", quad_highest},
    {"quad_min(half(x))", quad_lowest},
    {"quad_product(2.0)", quad_whole2},
    {"quad_or(uint(x))", quad_or_of},
    {"quad_and(ushort(x))", quad_and_of},
    {"quad_xor(int(x))", quad_xor_of},
    {"quad_is_first()", quad_first_member},
    {"quad_shuffle_up(x, 1)", quad_up1},
    {"quad_shuffle_rotate_up(x, 1)", quad_rotate_up1},
    {"quad_prefix_inclusive_sum(short(x))", quad_inclusive},
    {"quad_prefix_inclusive_product(2)", quad_inclusive2},
    {"quad_prefix_exclusive_product(2.0)", quad_exclusive2},
    {"uint(quad_active_threads_mask())", quad_votes},
    {"simd_prefix_inclusive_sum(half2(x, 1)).x", inclusive},
    {"simd_prefix_exclusive_sum(ulong(x))", exclusive},
    {"simd_prefix_inclusive_sum(uchar(x)) + 0.0", inclusive_bytes},
    {"simd_prefix_exclusive_sum(bfloat(lane < 8 ? 1 : 0))", exclusive_eighth},
    {"quad_broadcast_first(x)", quad_first},
    {"quad_broadcast(x, 2)", quad_lane2},
    {"quad_shuffle(half(x), 2)", quad_lane2},
    {"quad_shuffle_down(x, 1)", quad_down1},
    {"quad_shuffle_rotate_down(x, 1)", quad_rotate1},
    {"quad_shuffle_xor(x, 3)", quad_xor3},
    {"quad_prefix_exclusive_sum(x)", quad_prefix},
    {"uint(quad_ballot(true))", quad_votes},
    {"quad_all(true) ? x : 0", own},
    {"quad_any(false) ? 0 : x", own},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Lane l writes row r to out[r * 32 + l]; only lanes of the mask in `condition` take part. */
static void check_rows(const char *condition, unsigned threads, uint32_t mask)
{
    static char source[16384];
    static float out[ROWS * 32];
    char *at = source;
    at += sprintf(at,
                  "#include <metal_stdlib>\nusing namespace metal;\n"
                  "kernel void f(device float *out, uint lane [[thread_index_in_simdgroup]])\n"
                  "{\nfloat x = lane + 1.0;\nif (%s) {\n",
                  condition);
    for (size_t i = 0; i < ROWS; i++) {
        at += sprintf(at, "out[%zu + lane] = float(%s);\n", i * 32, rows[i].expression);
    }
    sprintf(at, "}\n}\n");
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    struct sm_dispatch d = dispatch_of(pipeline, 1, threads);
    for (size_t i = 0; i < ROWS * 32; i++) {
        out[i] = -99;
    }
    d.buffers[0] = out;
    run(device, &d);
    for (size_t i = 0; i < ROWS; i++) {
        for (unsigned lane = 0; lane < 32; lane++) {
            double want = in(mask, lane) ? (float)rows[i].want(lane, mask) : -99;
            double got = (double)out[i * 32 + lane];
            cr_expect(same(got, want, 0), "if (%s), %u threads, lane %u: %s is %g, expected %g",
                      condition, threads, lane, rows[i].expression, got, want);
        }
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_simdgroup, all_lanes)
{
    check_rows("true", 32, UINT32_MAX);
}

Test(softmetal_simdgroup, partial)
{
    check_rows("true", 13, (1u << 13) - 1);
    check_rows("true", 1, 1);
}

Test(softmetal_simdgroup, divergent)
{
    check_rows("lane % 3 == 1", 32, 0x92492492u);
    check_rows("lane >= 8", 20, 0xfff00u);
}

/* Lanes leave a loop at different times, and meet again after it. */
Test(softmetal_simdgroup, reconvergence)
{
    const char *source = "#include <metal_stdlib>\nusing namespace metal;\n"
                         "kernel void f(device int *out, uint lane [[thread_index_in_simdgroup]])\n"
                         "{\nint total = 0;\n"
                         "for (uint i = 0; i <= lane; i++) {\n"
                         "  total += simd_sum(1);\n"
                         "}\n"
                         "int even = 0;\n"
                         "if (lane % 2 == 0) {\n"
                         "  even = simd_sum(1);\n"
                         "} else {\n"
                         "  even = simd_sum(100);\n"
                         "}\n"
                         "out[lane] = total;\n"
                         "out[32 + lane] = even;\n"
                         "out[64 + lane] = simd_sum(1);\n"
                         "}\n";
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    int32_t out[96];
    struct sm_dispatch d = dispatch_of(pipeline, 1, 32);
    d.buffers[0] = out;
    run(device, &d);
    int32_t total = 0;
    for (int lane = 0; lane < 32; lane++) {
        total += 32 - lane; /* in round i the lanes from i on take part */
        cr_expect(out[lane] == total, "lane %d: %d, expected %d", lane, out[lane], total);
        cr_expect(out[32 + lane] == (lane % 2 ? 1600 : 16), "lane %d after the branch: %d", lane,
                  out[32 + lane]);
        cr_expect(out[64 + lane] == 32, "lane %d after all: %d", lane, out[64 + lane]);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_simdgroup, shuffle_and_fill)
{
    const char *source =
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "kernel void f(device float *out, uint lane [[thread_index_in_simdgroup]])\n{\n"
        "float x = lane, fill = 100 + lane;\n"
        "out[lane] = simd_shuffle_and_fill_up(x, fill, 2);\n"
        "out[32 + lane] = simd_shuffle_and_fill_down(x, fill, 2);\n"
        "out[64 + lane] = simd_shuffle_and_fill_down(x, fill, 3, 8);\n"
        "out[96 + lane] = quad_shuffle_and_fill_up(x, fill, 1);\n"
        "out[128 + lane] = quad_shuffle_and_fill_down(int(x), int(fill), 1, 2);\n}\n";
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    float out[160];
    struct sm_dispatch d = dispatch_of(pipeline, 1, 32);
    d.buffers[0] = out;
    run(device, &d);
    for (int lane = 0; lane < 32; lane++) {
        float up = (float)(lane < 2 ? 100 + 30 + lane : lane - 2);
        float down = (float)(lane > 29 ? 100 + lane - 30 : lane + 2);
        float part = (float)(lane % 8 > 4 ? 100 + lane - 5 : lane + 3);
        cr_expect(out[lane] == up, "fill_up lane %d: %g", lane, (double)out[lane]);
        cr_expect(out[32 + lane] == down, "fill_down lane %d: %g", lane, (double)out[32 + lane]);
        cr_expect(out[64 + lane] == part, "modulo 8 lane %d: %g", lane, (double)out[64 + lane]);
        float quad_up = (float)(lane % 4 == 0 ? 100 + lane + 3 : lane - 1);
        float pair = (float)(lane % 2 == 1 ? 100 + lane - 1 : lane + 1);
        cr_expect(out[96 + lane] == quad_up, "quad lane %d: %g", lane, (double)out[96 + lane]);
        cr_expect(out[128 + lane] == pair, "pair lane %d: %g", lane, (double)out[128 + lane]);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

/* 1024 threads reverse an array through threadgroup memory, static and dynamic, many times. */
Test(softmetal_simdgroup, barriers)
{
    const char *source =
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "kernel void f(device int *x, threadgroup int *dynamic [[threadgroup(1)]],\n"
        "  uint i [[thread_index_in_threadgroup]], uint n [[threads_per_threadgroup]],\n"
        "  uint g [[threadgroup_position_in_grid]])\n{\n"
        "threadgroup int fixed[1024], count[1];\n"
        "if (i == 0) count[0] = 0;\n"
        "for (int turn = 0; turn < 5; turn++) {\n"
        "  fixed[i] = x[g * n + i];\n"
        "  threadgroup_barrier(mem_flags::mem_threadgroup);\n"
        "  dynamic[i] = fixed[n - 1 - i];\n"
        "  if (i == n - 1) count[0] += 1;\n"
        "  threadgroup_barrier(mem_flags::mem_threadgroup);\n"
        "  x[g * n + i] = dynamic[i] + count[0];\n"
        "  threadgroup_barrier(mem_flags::mem_device);\n"
        "}\n}\n";
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    for (unsigned n = 1; n <= 1024; n = n * 3 + 5) {
        n = n > 1000 ? 1024 : n;
        int32_t *x = malloc(7 * n * sizeof *x);
        cr_assert(x != NULL);
        for (unsigned i = 0; i < 7 * n; i++) {
            x[i] = (int32_t)i;
        }
        struct sm_dispatch d = dispatch_of(pipeline, 7, n);
        d.buffers[0] = x;
        d.threadgroup_bytes[1] = 4096;
        run(device, &d);
        for (unsigned i = 0; i < 7 * n; i++) {
            int32_t want = (int32_t)(i / n * n + (n - 1 - i % n)) + 15;
            cr_assert(x[i] == want, "%u threads, x[%u] is %d, expected %d", n, i, x[i], want);
        }
        free(x);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}
