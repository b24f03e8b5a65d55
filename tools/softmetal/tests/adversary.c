/* The adversary's arithmetic: every function errs, by no more than the tables of the MSL
 * specification grant, and by much of that. Exact values are the C library's in double. */
#include "support.h"

enum { COUNT = 512 };

static double rsqrt_of(double x)
{
    return 1 / sqrt(x);
}
static double sinpi_of(double x)
{
    return sin(M_PI * x);
}
static double cospi_of(double x)
{
    return cos(M_PI * x);
}
static double tanpi_of(double x)
{
    return tan(M_PI * x);
}
static double reciprocal(double x)
{
    return 1 / x;
}
static double square_root(double x)
{
    return sqrt(x);
}

/* Bounds of tables 8.1 and 8.2; fast 0: a formula there, whose parts' errors come to less than
 * `absolute` units. */
static const struct row {
    const char *name;
    double (*exact)(double);
    double low, high;
    double precise, fast, absolute;
} rows[] = {
    {"acos", acos, -0.9, 0.9, 4, 5, 0},
    {"acosh", acosh, 2, 50, 4, 0, 400},
    {"asin", asin, -0.9, 0.9, 4, 5, 0},
    {"asinh", asinh, 1, 50, 4, 0, 400},
    {"atan", atan, -9, 9, 5, 5, 0},
    {"atanh", atanh, 0.4, 0.9, 5, 0, 400},
    {"cos", cos, -3.1, 3.1, 4, 0.5, 0x1p-13},
    {"cosh", cosh, -3, 3, 4, 0, 400},
    {"cospi", cospi_of, -1, 1, 4, 0.5, 0x1p-13},
    {"exp", exp, -0.4, 0.4, 4, 3, 0},
    {"exp", exp, 20, 20.4, 4, 43, 0},
    {"exp2", exp2, -0.4, 0.4, 4, 3, 0},
    {"exp10", exp10, -3, 3, 4, 0, 400},
    {"log", log, 3, 50, 4, 3, 0},
    {"log", log, 0.6, 1.9, 4, 0.5, 0x1p-21},
    {"log2", log2, 3, 50, 4, 2, 0},
    {"log2", log2, 0.6, 1.9, 4, 0.5, 0x1p-22},
    {"log10", log10, 3, 50, 4, 0, 400},
    {"rsqrt", rsqrt_of, 0.1, 50, 0.5, 2, 0},
    {"sin", sin, -3.1, 3.1, 4, 0.5, 0x1p-13},
    {"sinh", sinh, 1, 3, 4, 0, 400},
    {"sinpi", sinpi_of, -0.99, 0.99, 4, 0.5, 0x1p-13},
    {"sqrt", square_root, 0.1, 50, 0.5, 0, 400},
    {"tan", tan, 0.2, 0.8, 6, 0, 10000},
    {"tanh", tanh, 0.5, 3, 5, 0, 400},
    {"tanpi", tanpi_of, 0.1, 0.2, 6, 0, 10000},
    {"1.0 / ", reciprocal, 0.1, 50, 1, 1, 0}, /* always fast: no operator is precise */
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static struct sm_device *adversary(void)
{
    struct sm_device *device = NULL;
    struct sm_error error;
    const struct sm_device_options options = {
        .threads = 1, .mode = SM_MODE_CHECK, .seed = 1, .adversarial = 3};
    cr_assert(sm_device_open(&options, &device, &error), "%s", error.message);
    return device;
}

static void run_kernel(struct sm_device *device, const char *source, float *in, size_t in_bytes,
                       float *out, size_t out_bytes, uint32_t threads)
{
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    struct sm_dispatch d = dispatch_of(pipeline, 1, threads);
    d.buffers[0] = in;
    d.buffer_bytes[0] = in_bytes;
    d.buffers[1] = out;
    d.buffer_bytes[1] = out_bytes;
    run(device, &d);
    sm_pipeline_free(pipeline);
    sm_library_free(library);
}

static float input_of(const struct row *r, int k)
{
    return (float)(r->low + (r->high - r->low) * k / (COUNT - 1));
}

static double unit(double exact, int digits)
{
    return exact == 0 ? INFINITY : ldexp(1, ilogb(exact) - digits);
}

/* The most that the values err, as a part of what they may. */
static double worst(const struct row *r, const float *got, double ulps, double absolute, int digits)
{
    double most = 0;
    for (int k = 0; k < COUNT; k++) {
        double exact = r->exact((double)input_of(r, k));
        double may = fmax(ulps * unit(exact, digits), absolute + 0.5 * unit(exact, digits));
        double part = fabs((double)got[k] - exact) / may;
        most = part > most || isnan(part) ? part : most;
    }
    return most;
}

Test(softmetal_adversary, functions)
{
    static float in[ROWS][COUNT], out[ROWS][3][COUNT];
    char *source = malloc(65536), *at = source;
    cr_assert(source);
    at += sprintf(at, "#include <metal_stdlib>\nusing namespace metal;\n"
                      "kernel void f(device const float *in, device float *out,\n"
                      "              uint i [[thread_position_in_grid]]) {\n");
    for (int r = 0; r < ROWS; r++) {
        bool operator= strchr(rows[r].name, '/') != NULL;
        const char *forms[] = {operator? "" : "precise::", "", ""};
        for (int k = 0; k < 3; k++) {
            at += sprintf(at, "out[%d + i] = float(%s%s(%s(in[%d + i])));\n", (r * 3 + k) * COUNT,
                          forms[k], rows[r].name, k == 2 ? "half" : "float", r * COUNT);
        }
        for (int k = 0; k < COUNT; k++) {
            in[r][k] = input_of(&rows[r], k);
        }
    }
    sprintf(at, "}\n");
    struct sm_device *device = adversary();
    run_kernel(device, source, in[0], sizeof in, out[0][0], sizeof out, COUNT);
    for (int r = 0; r < ROWS; r++) {
        const struct row *w = &rows[r];
        double part = worst(w, out[r][0], w->precise, 0, 23);
        cr_expect(part <= 1 && part > 0.7, "precise::%s errs by %g of its bound", w->name, part);
        bool formula = w->fast == 0;
        part = worst(w, out[r][1], formula ? w->absolute : w->fast, formula ? 0 : w->absolute, 23);
        cr_expect(part <= 1 && part > (formula ? 0.002 : 0.8), "%s errs by %g of its bound",
                  w->name, part);
    }
    sm_device_close(device);
    free(source);
}

/* half has a table of its own: within one unit, or correctly rounded. */
Test(softmetal_adversary, half)
{
    static const struct {
        const char *name;
        double (*exact)(double);
        double ulps;
    } wanted[] = {{"exp", exp, 1},         {"sin", sin, 1},          {"log2", log2, 1},
                  {"tanh", tanh, 1},       {"precise::exp", exp, 1}, {"sqrt", square_root, 0.5},
                  {"rsqrt", rsqrt_of, 0.5}};
    static float in[COUNT], out[8][COUNT];
    char source[4096], *at = source;
    at += sprintf(at, "#include <metal_stdlib>\nusing namespace metal;\n"
                      "kernel void f(device const float *in, device float *out,\n"
                      "              uint i [[thread_position_in_grid]]) {\n"
                      "half h = half(in[i]);\n");
    for (int r = 0; r < 7; r++) {
        at += sprintf(at, "out[%d + i] = float(%s(h));\n", r * COUNT, wanted[r].name);
    }
    sprintf(at, "out[%d + i] = float(h / 7.0h);\n}\n", 7 * COUNT);
    for (int k = 0; k < COUNT; k++) {
        in[k] = 0.125f + (float)k / 512; /* halves */
    }
    struct sm_device *device = adversary();
    run_kernel(device, source, in, sizeof in, out[0], sizeof out, COUNT);
    for (int r = 0; r < 8; r++) {
        double most = 0;
        for (int k = 0; k < COUNT; k++) {
            double exact = r < 7 ? wanted[r].exact((double)in[k]) : (double)in[k] / 7;
            double size = unit(exact, 10);
            most = fmax(most, exact != 0 ? fabs((double)out[r][k] - exact) / size : 0);
        }
        double may = r < 7 ? wanted[r].ulps : 0.5;
        cr_expect(most <= may * 1.001 && most > 0.8 * may, "%s of half errs by %g units",
                  r < 7 ? wanted[r].name : "/", most);
    }
    sm_device_close(device);
}

/* Every way to write a division, of each type, and what must stay exact. */
Test(softmetal_adversary, division)
{
    const char *source =
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "constant int WIDTH = 64 / 4;\n"
        "constexpr constant float THIRD = 1.0 / 3.0;\n"
        "template <int N> struct half_of { static constexpr constant int value = N / 2; };\n"
        "struct ratio { float n, d; ratio operator/(ratio o) const { return {n * o.d, d * o.n}; }\n"
        "  thread ratio &operator/=(ratio o) { return *this = *this / o; } };\n"
        "kernel void f(device const float *in, device float *out, uint i "
        "[[thread_position_in_grid]])\n{\n"
        "float x = in[i] * 5, y = in[i]; float range[3] = {[0 ... 2] = -FLT_MAX / 2}; float "
        "table[WIDTH / 2]; table[0] = y;\n"
        "out[i] = x / y;\n"
        "float a = x; a /= y; out[512 + i] = a;\n"
        "out[1024 + i] = (float4(x) / y).w;\n"
        "float3 b = float3(x); b.yz /= y; out[1536 + i] = b.z;\n"
        "packed_float2 p = packed_float2(x, x); p /= y; out[2048 + i] = p[1];\n"
        "out[2560 + i] = divide(x, y);\n"
        "out[3072 + i] = float(bfloat(x) / bfloat(y));\n"
        "bool exact = 7 / 2 == 3 && -7 / 2 == -3 && WIDTH == 16 && half_of<9>::value == 4;\n"
        "exact = exact && range[2] < 0 && sizeof(table) == 32 && THIRD == "
        "as_type<float>(0x3eaaaaabu);\n"
        "int k = 105; k /= 7; k /= 2.0; uint2 v = uint2(9, 8) / 2; v /= 2u; short s = 9; s /= 2;\n"
        "ratio r = {1, 2}; r /= ratio{3, 4}; half h = 3; h /= 2.0;\n"
        "exact = exact && k == 7 && v.x == 2 && s == 4 && r.n == 4 && r.d == 6 && h == 1.5h;\n"
        "exact = exact && is_same_v<decltype(1 / 2), int> && is_same_v<decltype(1.0h / 2.0h), "
        "half>;\n"
        "exact = exact && precise::divide(x, y) == precise::divide(x, table[0]);\n"
        "out[3584 + i] = exact; }\n";
    static float in[COUNT], out[8][COUNT];
    for (int k = 0; k < COUNT; k++) {
        in[k] = 1.0f + (float)(k * 37 % 101) / 97.0f;
    }
    struct sm_device *device = adversary();
    run_kernel(device, source, in, sizeof in, out[0], sizeof out, COUNT);
    for (int r = 0; r < 7; r++) {
        double most = 0;
        for (int k = 0; k < COUNT; k++) {
            double x = (double)(in[k] * 5), y = (double)in[k];
            if (r == 6) { /* as bfloats: the nearest of 8 bits */
                x = rint(ldexp(x, 7 - ilogb(x))) * ldexp(1, ilogb(x) - 7);
                y = rint(ldexp(y, 7 - ilogb(y))) * ldexp(1, ilogb(y) - 7);
            }
            most = fmax(most, fabs((double)out[r][k] - x / y) / unit(x / y, r == 6 ? 7 : 23));
        }
        double may = r == 6 ? 0.6 : 2.5;
        cr_expect(most <= may && most > 0.7 * may, "division %d errs by %g units", r, most);
    }
    for (int k = 0; k < COUNT; k++) {
        cr_expect(out[7][k] == 1, "what is exact is not, thread %d", k);
    }
    sm_device_close(device);
}

/* Formulas of table 8.2 as they are: they overflow, and take a logarithm of what is negative. */
Test(softmetal_adversary, formulas)
{
    const char *source =
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "kernel void f(device const float *in, device float *out) {\n"
        "out[0] = tanh(in[0]); out[1] = precise::tanh(in[0]); out[2] = fast::pow(in[1], 2.0);\n"
        "out[3] = precise::pow(in[1], 2.0); out[4] = sqrt(in[2]); out[5] = sqrt(INFINITY);\n"
        "out[6] = pow(in[0], 2.0); out[7] = atan2(-1.0, in[1]); }\n";
    float in[] = {50, -2, 0}, out[8];
    const double want[] = {NAN, 1, NAN, 4, 0, INFINITY, 2500, -2.67794504458899};
    struct sm_device *device = adversary();
    run_kernel(device, source, in, sizeof in, out, sizeof out, 1);
    for (int i = 0; i < 8; i++) {
        cr_expect(same((double)out[i], want[i], 1e-5), "%d is %g, expected %g", i, (double)out[i],
                  want[i]);
    }
    sm_device_close(device);
}
