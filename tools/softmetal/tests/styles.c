/* Kernels as other projects write them, from kernels/, run and checked. */
#include "support.h"

#include "kernels/ggml_args.h"

static struct sm_library *library_file(struct sm_device *device, const char *path)
{
    const char *dirs[] = {TESTS "/kernels"};
    const struct sm_compile_options options = {.include_dirs = dirs, .include_count = 1};
    struct sm_library *library = NULL;
    struct sm_error error;
    const char *name, *message;
    cr_assert(sm_library_from_file(device, path, &options, &library, &error), "%s", error.message);
    cr_assert(!sm_library_failure(library, 0, &name, &message), "%s: %s", name, message);
    return library;
}

static float noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 16) / 32768.0f - 1.0f;
}

static uint16_t half_of(float f) /* of small powers of two and small integers */
{
    _Float16 h = (_Float16)f;
    uint16_t bits;
    memcpy(&bits, &h, 2);
    return bits;
}

static float float_of_bfloat(uint16_t bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static uint16_t bfloat_of(float f) /* exact values only */
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return (uint16_t)(u >> 16);
}

/* ---- ggml -------------------------------------------------------------------------------------- */

struct block_byte {
    uint16_t d;
    int8_t qs[32];
};
struct block_nibble {
    uint16_t d;
    uint8_t qs[16];
};

enum { ROWS = 37, COLUMNS = 192 };

static void check_matvec(struct sm_device *device, struct sm_library *library, bool nibble,
                         bool scaled, const int16_t *offset)
{
    static struct block_byte bytes[ROWS * COLUMNS / 32];
    static struct block_nibble nibbles[ROWS * COLUMNS / 32];
    static float x[COLUMNS], y[ROWS], weight[ROWS][COLUMNS];
    uint32_t seed = 7;
    for (int i = 0; i < ROWS * COLUMNS / 32; i++) {
        float d = i % 3 ? 0.125f : 0.5f;
        bytes[i].d = nibbles[i].d = half_of(d);
        for (int k = 0; k < 32; k++) {
            int code = (int)(8 * noise(&seed));
            bytes[i].qs[k] = (int8_t)(code * 9);
            if (k < 16) {
                nibbles[i].qs[k] = 0;
            }
            nibbles[i].qs[k % 16] |= (uint8_t)((code + 8) << (k / 16 * 4));
            weight[i / (COLUMNS / 32)][i % (COLUMNS / 32) * 32 + k] =
                d * (float)(nibble ? code : code * 9);
        }
    }
    for (int i = 0; i < COLUMNS; i++) {
        x[i] = noise(&seed);
    }
    const int16_t table = 2; /* 2.0 */
    const struct sm_constant constants[] = {
        {.name = "FC_scaled", .value = &scaled, .bytes = 1},
        {.index = FC_MATVEC + 1, .value = &table, .bytes = 2},
        {.name = "FC_offset", .value = offset, .bytes = 2},
    };
    struct sm_pipeline *pipeline = NULL;
    struct sm_error error;
    cr_assert(sm_pipeline_make(library, nibble ? "kernel_matvec_nibble" : "kernel_matvec_byte",
                               constants, offset ? 3 : 2, &pipeline, &error),
              "%s", error.message);
    struct matvec_args args = {ROWS, COLUMNS, nibble ? 18 * COLUMNS / 32 : 34 * COLUMNS / 32};
    uint32_t per_group = nibble ? 8 : 4;
    struct sm_dispatch d = dispatch_of(pipeline, (ROWS + per_group - 1) / per_group, 64);
    d.buffers[0] = &args;
    d.buffers[1] = nibble ? (void *)nibbles : (void *)bytes;
    d.buffers[2] = x;
    d.buffers[3] = y;
    d.threadgroup_bytes[0] = 64;
    run(device, &d);
    float bias = offset ? (float)*offset * 0.5f : 0.25f;
    for (int r = 0; r < ROWS; r++) {
        double want = 0;
        for (int i = 0; i < COLUMNS; i++) {
            want += (double)weight[r][i] * (double)x[i];
        }
        want = want * (scaled ? 2 : 1) + (double)bias;
        cr_expect(same((double)y[r], want, 1e-4), "row %d of %s is %g, expected %g", r,
                  nibble ? "nibbles" : "bytes", (double)y[r], want);
    }
    sm_pipeline_free(pipeline);
}

Test(softmetal_styles, ggml_matvec)
{
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/ggml_style.metal");
    const int16_t offset = 6;
    for (int i = 0; i < 8; i++) {
        check_matvec(device, library, i & 1, i & 2, i & 4 ? &offset : NULL);
    }
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_styles, ggml_matmul)
{
    enum { M = 40, N = 21, K = 64 };
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/ggml_style.metal");
    _Alignas(16) static float a[M][K], b[N][K], c[N][M];
    static struct block_nibble blocks[M * K / 32];
    for (int i = 0; i < M * K; i++) {
        int code = i * 7 % 15 - 7;
        a[i / K][i % K] = (float)code * 0.5f;
        struct block_nibble *block = &blocks[i / 32];
        block->d = half_of(0.5f);
        /* two values a byte: first the low, then the high nibbles; values alternate by bytes */
        block->qs[i % 16] = (uint8_t)(i % 32 < 16 ? code + 8 : block->qs[i % 16] | (code + 8) << 4);
    }
    for (int i = 0; i < N * K; i++) {
        b[i / K][i % K] = (float)(i * 5 % 11 - 5);
    }
    for (int quantised = 0; quantised < 2; quantised++) {
        const bool bounds = true;
        const struct sm_constant constant = {.name = "FC_bounds", .value = &bounds, .bytes = 1};
        struct sm_pipeline *pipeline = NULL;
        struct sm_error error;
        cr_assert(sm_pipeline_make(library,
                                   quantised ? "kernel_matmul_nibble" : "kernel_matmul_f32",
                                   &constant, 1, &pipeline, &error),
                  "%s", error.message);
        struct matmul_args args = {M, N, K, quantised ? 18 * K / 32 : K * 4};
        struct sm_dispatch d = {.pipeline = pipeline,
                                .threads = {64, 1, 1},
                                .groups = {(N + 15) / 16, (M + 15) / 16, 1}};
        d.buffers[0] = &args;
        d.buffers[1] = quantised ? (void *)blocks : (void *)a;
        d.buffers[2] = b;
        d.buffers[3] = c;
        d.threadgroup_bytes[0] = 2048;
        memset(c, 0xff, sizeof c);
        run(device, &d);
        for (int i = 0; i < N * M; i++) {
            float want = 0;
            for (int k = 0; k < K; k++) {
                want += a[i % M][k] * b[i / M][k];
            }
            cr_expect(c[i / M][i % M] == want, "quantised %d: c[%d][%d] is %g, expected %g",
                      quantised, i / M, i % M, (double)c[i / M][i % M], (double)want);
        }
        sm_pipeline_free(pipeline);
    }
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_styles, ggml_soft_max)
{
    enum { N = 77, LINES = 3 };
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/ggml_style.metal");
    struct sm_pipeline *pipeline = pipeline_of(library, "kernel_soft_max_f16");
    float x[LINES * N], y[LINES * N];
    uint16_t mask[N];
    uint32_t seed = 3;
    for (int i = 0; i < LINES * N; i++) {
        x[i] = 10 * noise(&seed);
        mask[i % N] = half_of(i % 5 ? 0.0f : -INFINITY);
    }
    const uint32_t widths[] = {32, 96, 1024};
    for (int w = 0; w < 3; w++) {
        int n = N;
        struct sm_dispatch d = dispatch_of(pipeline, LINES, widths[w]);
        d.buffers[0] = &n;
        d.buffers[1] = x;
        d.buffers[2] = mask;
        d.buffers[3] = y;
        d.threadgroup_bytes[0] = 128;
        run(device, &d);
        for (int line = 0; line < LINES; line++) {
            double sum = 0;
            for (int i = 0; i < N; i++) {
                sum += mask[i] ? 0 : exp((double)x[line * N + i]);
            }
            for (int i = 0; i < N; i++) {
                double want = mask[i] ? 0 : exp((double)x[line * N + i]) / sum;
                cr_expect(fabs((double)y[line * N + i] - want) < 1e-6,
                          "%u threads, line %d, element %d is %g, expected %g", widths[w], line, i,
                          (double)y[line * N + i], want);
            }
        }
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

/* ---- MLX --------------------------------------------------------------------------------------- */

/* c = a op b over a 3 x 4 grid, b read transposed by its strides. */
static void run_binary(struct sm_device *device, struct sm_library *library, const char *name,
                       void *a, void *b, void *c)
{
    int shape[2] = {3, 4}, ndim = 2;
    size_t a_strides[2] = {4, 1}, b_strides[2] = {1, 3};
    struct sm_pipeline *pipeline = pipeline_of(library, name);
    struct sm_dispatch d = {.pipeline = pipeline, .threads = {4, 2, 1}, .grid = {4, 3, 1}};
    void *buffers[] = {a, b, c, shape, a_strides, b_strides, &ndim};
    memcpy(d.buffers, buffers, sizeof buffers);
    run(device, &d);
    sm_pipeline_free(pipeline);
}

Test(softmetal_styles, mlx_binary)
{
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/mlx_style.metal");
    float a[12], b[12], c[12], complex_a[24], complex_b[24], complex_c[24];
    uint16_t ha[12], hb[12], hc[12], ba[12], bb[12], bc[12];
    for (int i = 0; i < 12; i++) {
        a[i] = (float)i;
        b[i] = (float)(i % 5 + 1);
        ha[i] = half_of(a[i]);
        hb[i] = half_of(b[i]);
        ba[i] = bfloat_of(a[i]);
        bb[i] = bfloat_of(b[i]);
        complex_a[2 * i] = a[i];
        complex_a[2 * i + 1] = 1;
        complex_b[2 * i] = b[i];
        complex_b[2 * i + 1] = -2;
    }
    run_binary(device, library, "g_mulfloat32", a, b, c);
    run_binary(device, library, "g_remfloat16", ha, hb, hc);
    run_binary(device, library, "g_addbfloat16", ba, bb, bc);
    run_binary(device, library, "g_mulcomplex64", complex_a, complex_b, complex_c);
    for (int i = 0; i < 12; i++) {
        int k = i % 4 * 3 + i / 4; /* of b */
        cr_expect(c[i] == a[i] * b[k], "float %d is %g", i, (double)c[i]);
        cr_expect(hc[i] == half_of(fmodf(a[i], b[k])), "half %d is %04x", i, hc[i]);
        cr_expect(float_of_bfloat(bc[i]) == a[i] + b[k], "bfloat %d is %04x", i, bc[i]);
        cr_expect(complex_c[2 * i] == a[i] * b[k] + 2 && complex_c[2 * i + 1] == b[k] - 2 * a[i],
                  "complex %d is %g %g", i, (double)complex_c[2 * i], (double)complex_c[2 * i + 1]);
    }
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_styles, mlx_row_max)
{
    enum { N = 300, LINES = 4 };
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/mlx_style.metal");
    static uint16_t x[LINES * N];
    uint16_t out[LINES];
    static int32_t n[LINES * N];
    int32_t most[LINES];
    for (int i = 0; i < LINES * N; i++) {
        n[i] = -1000 - i * 37 % 301;
        x[i] = bfloat_of((float)(-(i * 37 % 211) - 1));
    }
    x[1] = bfloat_of(3.0f);
    n[2 * N + 299] = -5;
    size_t row = N;
    const char *names[] = {"row_max_bfloat16", "row_max_int32"};
    for (int k = 0; k < 2; k++) {
        struct sm_pipeline *pipeline = pipeline_of(library, names[k]);
        struct sm_dispatch d = dispatch_of(pipeline, LINES, 96);
        d.buffers[0] = k ? (void *)n : (void *)x;
        d.buffers[1] = k ? (void *)most : (void *)out;
        d.buffers[2] = &row;
        run(device, &d);
        sm_pipeline_free(pipeline);
    }
    cr_expect(float_of_bfloat(out[0]) == 3 && float_of_bfloat(out[1]) == -1, "%04x %04x", out[0],
              out[1]);
    cr_expect(most[0] == -1000 && most[2] == -5, "%d %d", most[0], most[2]);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_styles, mlx_gemm)
{
    enum { K = 48 };
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/mlx_style.metal");
    static float a[16 * K], b[K * 16], c[256];
    static uint16_t ha[16 * K], hb[K * 16], hc[256];
    for (int i = 0; i < 16 * K; i++) {
        a[i] = (float)(i % 5 - 2);
        b[i] = (float)(i % 7 - 3);
        ha[i] = half_of(a[i]);
        hb[i] = half_of(b[i]);
    }
    int k = K;
    const char *names[] = {"gemm16_float32", "gemm16_float16"};
    for (int type = 0; type < 2; type++) {
        struct sm_pipeline *pipeline = pipeline_of(library, names[type]);
        struct sm_dispatch d = dispatch_of(pipeline, 1, 64);
        d.buffers[0] = type ? (void *)ha : (void *)a;
        d.buffers[1] = type ? (void *)hb : (void *)b;
        d.buffers[3] = type ? (void *)hc : (void *)c;
        d.buffers[4] = &k;
        run(device, &d);
        sm_pipeline_free(pipeline);
    }
    for (int i = 0; i < 256; i++) {
        float want = 0;
        for (int j = 0; j < K; j++) {
            want += a[i / 16 * K + j] * b[j * 16 + i % 16];
        }
        cr_expect(c[i] == want, "float %d is %g, expected %g", i, (double)c[i], (double)want);
        cr_expect(hc[i] == half_of(want), "half %d is %04x, expected %g", i, hc[i], (double)want);
    }
    sm_library_free(library);
    sm_device_close(device);
}

/* ---- Apple's samples --------------------------------------------------------------------------- */

Test(softmetal_styles, apple_add)
{
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/apple_style.metal");
    struct sm_pipeline *pipeline = pipeline_of(library, "add_arrays");
    enum { N = 10007 };
    static float a[N + 1], b[N + 1], c[N + 1];
    for (int i = 0; i < N; i++) {
        a[i] = (float)i;
        b[i] = (float)(2 * i);
    }
    c[N] = -1;
    struct sm_dispatch d = {.pipeline = pipeline, .threads = {256, 1, 1}, .grid = {N, 1, 1}};
    d.buffers[0] = a;
    d.buffers[1] = b;
    d.buffers[2] = c;
    run(device, &d);
    for (int i = 0; i < N; i++) {
        cr_assert(c[i] == (float)(3 * i), "element %d is %g", i, (double)c[i]);
    }
    cr_expect(c[N] == -1, "the grid's edge was crossed");
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

struct particle {
    _Alignas(16) float position[4];
    float velocity[3], mass;
};

static void step(const struct particle *in, struct particle *out, int n, int i, float dt)
{
    double total[3] = {0};
    for (int k = 0; k < n; k++) {
        double r[3], d = 0.01;
        for (int c = 0; c < 3; c++) {
            r[c] = (double)in[k].position[c] - (double)in[i].position[c];
            d += r[c] * r[c];
        }
        for (int c = 0; c < 3; c++) {
            total[c] += r[c] * (double)in[k].mass / (sqrt(d) * d);
        }
    }
    out[i] = in[i];
    for (int c = 0; c < 3; c++) {
        out[i].velocity[c] = (float)((double)in[i].velocity[c] + total[c] * (double)dt);
        out[i].position[c] =
            (float)((double)in[i].position[c] + (double)out[i].velocity[c] * (double)dt);
    }
}

Test(softmetal_styles, apple_nbody)
{
    enum { N = 150 };
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/apple_style.metal");
    struct sm_pipeline *pipeline = pipeline_of(library, "nbody_step");
    static struct particle in[N], out[N], want[N];
    struct {
        float dt, softening;
        uint32_t count;
    } params = {0.01f, 0.1f, N};
    uint32_t seed = 11;
    for (int i = 0; i < N; i++) {
        in[i] = (struct particle){{noise(&seed), noise(&seed), noise(&seed), 1},
                                  {noise(&seed), noise(&seed), noise(&seed)},
                                  0.01f};
    }
    for (int i = 0; i < N; i++) {
        step(in, want, N, i, params.dt);
    }
    struct sm_dispatch d = dispatch_of(pipeline, 3, 64);
    d.buffers[0] = in;
    d.buffers[1] = out;
    d.buffers[2] = &params;
    d.threadgroup_bytes[0] = 1024;
    run(device, &d);
    for (int i = 0; i < N; i++) {
        for (int c = 0; c < 3; c++) {
            cr_expect(same((double)out[i].position[c], (double)want[i].position[c], 1e-5) &&
                          same((double)out[i].velocity[c], (double)want[i].velocity[c], 1e-5),
                      "particle %d, axis %d: %g, expected %g", i, c, (double)out[i].position[c],
                      (double)want[i].position[c]);
        }
        cr_expect(out[i].mass == 0.01f && out[i].position[3] == 1, "particle %d is torn", i);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_styles, apple_histogram)
{
    enum { N = 5000 };
    struct sm_device *device = open_device();
    struct sm_library *library = library_file(device, TESTS "/kernels/apple_style.metal");
    struct sm_pipeline *pipeline = pipeline_of(library, "histogram");
    static float values[N];
    uint32_t bins[16] = {0}, count = N;
    float sum = 0;
    for (int i = 0; i < N; i++) {
        values[i] = (float)(i % 32) / 32.0f;
    }
    struct sm_dispatch d = {.pipeline = pipeline, .threads = {16, 8, 1}, .grid = {71, 71, 1}};
    d.buffers[0] = values;
    d.buffers[1] = bins;
    d.buffers[2] = &count;
    d.buffers[3] = &sum;
    run(device, &d);
    for (int i = 0; i < 16; i++) {
        uint32_t want = 2 * (N / 32) + (uint32_t)(i * 2 < N % 32) + (uint32_t)(i * 2 + 1 < N % 32);
        cr_expect(bins[i] == want, "bin %d is %u, expected %u", i, bins[i], want);
    }
    double total = 0;
    for (int i = 0; i < N; i++) {
        total += (double)values[i];
    }
    cr_expect(same((double)sum, total, 1e-4), "the sum is %g, expected %g", (double)sum, total);
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}
