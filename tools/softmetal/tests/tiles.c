/* Kernels of tiled matrix and array libraries, run in both modes: right, and silent when checked. */
#include "support.h"

enum { M = 64, N = 32, K = 48 };

static struct sm_device *device_in(enum sm_mode mode)
{
    struct sm_device *device = NULL;
    struct sm_error error;
    const struct sm_device_options options = {.threads = 2, .mode = mode, .seed = 5};
    cr_assert(sm_device_open(&options, &device, &error), "%s", error.message);
    return device;
}

static struct sm_library *library_at(struct sm_device *device, const char *path)
{
    struct sm_library *library = NULL;
    struct sm_error error;
    const char *name, *message;
    cr_assert(sm_library_from_file(device, path, NULL, &library, &error), "%s", error.message);
    cr_assert(!sm_library_failure(library, 0, &name, &message), "%s: %s", name, message);
    cr_assert(!sm_library_error(library, 0, &message), "%s", message);
    return library;
}

static void expect_silence(struct sm_device *device)
{
    const struct sm_report *first = sm_report_get(device, 0);
    cr_expect(!first, "%s", first ? first->message : "");
    sm_device_close(device);
}

struct gemm_params {
    int32_t m, n, k, lda, ldb, ldd, tiles_n, pad;
    int64_t batch_stride;
};

/* D = A B, or with a source A B + 2 C[0]; small integers, exact. */
static void check_gemm(enum sm_mode mode, bool source, bool aligned)
{
    static float a[M * K], b[K * N], d[M * N];
    float c = 3;
    const bool no = false;
    const struct gemm_params p = {M, N, K, K, N, N, 1, 0, 0};
    struct sm_device *device = device_in(mode);
    struct sm_library *library = library_at(device, TESTS "/kernels/steel_style.metal");
    const struct sm_constant constants[] = {
        {NULL, 10, &no, 1}, {NULL, 100, &source, 1}, {NULL, 200, &aligned, 1}};
    struct sm_pipeline *pipeline = NULL;
    struct sm_error error;
    cr_assert(sm_pipeline_make(library, "steel_gemm_float32_bm32_bn32_bk16_wm2_wn2", constants, 3,
                               &pipeline, &error),
              "%s", error.message);
    for (int i = 0; i < M * K; i++) {
        a[i] = (float)(i % 5 - 2);
        b[i % (K * N)] = (float)(i % (K * N) % 7 - 3);
    }
    struct sm_dispatch run_it = {
        .pipeline = pipeline,
        .threads = {32, 2, 2},
        .groups = {N / 32, M / 32, 1},
        .buffers = {a, b, source ? &c : NULL, d, (void *)&p},
        .buffer_bytes = {sizeof a, sizeof b, sizeof c, sizeof d, sizeof p}};
    run(device, &run_it);
    for (int i = 0; i < M * N; i++) {
        float want = source ? 6 : 0;
        for (int k = 0; k < K; k++) {
            want += a[i / N * K + k] * b[k * N + i % N];
        }
        cr_expect(d[i] == want, "mode %d: d[%d] is %g, expected %g", mode, i, (double)d[i],
                  (double)want);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    expect_silence(device);
}

Test(softmetal_tiles, gemm)
{
    check_gemm(SM_MODE_FAST, false, true);
    check_gemm(SM_MODE_FAST, true, false);
    check_gemm(SM_MODE_CHECK, true, false);
}

static void run_named(struct sm_device *device, struct sm_library *library, const char *name,
                      uint32_t threads, void *in, void *in2, size_t bytes, void *out,
                      size_t out_bytes, const void *size, size_t size_bytes)
{
    struct sm_pipeline *pipeline = pipeline_of(library, name);
    struct sm_dispatch d = dispatch_of(pipeline, 1, threads);
    unsigned at = 0;
    void *const list[] = {in, in2, out, (void *)size};
    const size_t lengths[] = {bytes, bytes, out_bytes, size_bytes};
    for (int i = 0; i < 4; i++) {
        if (list[i]) {
            d.buffers[at] = list[i];
            d.buffer_bytes[at++] = lengths[i];
        }
    }
    run(device, &d);
    sm_pipeline_free(pipeline);
}

static void check_functors(enum sm_mode mode)
{
    struct sm_device *device = device_in(mode);
    struct sm_library *library = library_at(device, TESTS "/kernels/functor_style.metal");
    const uint32_t count = 6;
    const uint64_t many = 200;
    int32_t a[8] = {7, -7, 7, -7, 6, 5}, b[8] = {3, 3, -3, -3, 2, 5}, r[8] = {0};
    run_named(device, library, "vv_Remainderint32", 2, a, b, sizeof a, r, sizeof r, &count, 4);
    const int32_t floored[] = {1, 2, -2, -1, 0, 0, 0, 0};
    cr_expect(memcmp(r, floored, sizeof r) == 0, "%d %d %d", r[0], r[1], r[2]);
    float x[16] = {1, 2, 4, 6, 0, 8, 1, 0}, y[16] = {1, 1, 2, 0, 0, 2, 1, 0}, z[16] = {0};
    for (int i = 8; i < 16; i++) {
        y[i] = 1;
    }
    run_named(device, library, "vv_Dividecomplex64", 2, x, y, sizeof x, z, sizeof z, &count, 4);
    const float quotients[] = {1.5f, 0.5f, 2, 3, 4, 0, 1, 0};
    for (int i = 0; i < 8; i++) {
        cr_expect(z[i] == quotients[i], "quotient %d is %g", i, (double)z[i]);
    }
    int64_t big[200], sum = 0, most = 0;
    float plain[200];
    for (int i = 0; i < 200; i++) {
        big[i] = (int64_t)(i * 37 % 101) << 33;
        plain[i] = (float)(i * 37 % 101);
    }
    run_named(device, library, "all_reduce_sumint64", 96, big, NULL, sizeof big, &sum, 8, &many, 8);
    run_named(device, library, "all_reduce_maxint64", 96, big, NULL, sizeof big, &most, 8, &many,
              8);
    int64_t want = 0;
    for (int i = 0; i < 200; i++) {
        want += big[i];
    }
    cr_expect(sum == want && most == (int64_t)100 << 33, "%lld %lld", (long long)sum,
              (long long)most);
    const int32_t axis = 200;
    float soft[200], total = 0;
    run_named(device, library, "block_softmax_float32", 64, plain, NULL, sizeof plain, soft,
              sizeof soft, &axis, 4);
    for (int i = 0; i < 200; i++) {
        total += soft[i];
    }
    cr_expect(same((double)total, 1, 1e-5), "softmax adds up to %g", (double)total);
    sm_library_free(library);
    expect_silence(device);
}

Test(softmetal_tiles, functors)
{
    check_functors(SM_MODE_FAST);
    check_functors(SM_MODE_CHECK);
}
