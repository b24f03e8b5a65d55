/* Words and forms that kernels of MLX use, in kernels of our own. */
#include "support.h"

#define HEAD "#include <metal_stdlib>\nusing namespace metal;\n"

static const char source[] = HEAD
    /* as macros of a bfloat library make them, for no caller */
    "METAL_FUNC bfloat never(bfloat x) { return bfloat(__metal_simd_xor(float(x))); }\n"
    "METAL_FUNC float root(float x) { return __metal_sqrt(x, __METAL_PRECISE_MATH__); }\n"
    "constant bool forward [[function_constant(0)]];\n"
    "namespace metal { constexpr constant thread_scope thread_scope_system = thread_scope(3); }\n"
    "kernel void strides(device float *x [[buffer(0)]], constant int &n [[buffer(1)]],\n"
    "                    uint i [[thread_position_in_grid]]) {\n"
    "    constexpr const uniform<int> step = make_uniform(4);\n"
    "    const uniform<int> size = make_uniform(n), left = size - step * (size / step);\n"
    "    int sum = 0;\n"
    "    for (int k = 0; k < size; k += step) { sum += k; }\n"
    "    x[i] = root(float(sum * 100 + left * 10 + (forward ? 1 : 0)));\n"
    "}\n"
    "kernel void fence(volatile coherent(system) device uint *x [[buffer(0)]],\n"
    "                  device coherent(device) uint *y [[buffer(1)]],\n"
    "                  const device uint *z [[buffer(2)]]) {\n"
    "    uint coherent = z[0];\n"
    "    x[0] = coherent + 1;\n"
    "    metal::atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst,\n"
    "                               metal::thread_scope_system);\n"
    "    y[0] = coherent + 2;\n"
    "}\n"
    "struct none { char c; constexpr operator bool() const { return true; } };\n"
    "kernel void masks(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n"
    "    bfloat half_of = bfloat(0.5f), zero = bfloat(0.0f);\n"
    "    bool a = half_of, b = zero;\n"
    "    bfloat c; c = none();\n"
    "    x[i] = (a ? 1 : 0) + (b ? 10 : 0) + 100 * float(c);\n"
    "}\n"
    /* told by its parameters, no arguments */
    "template <typename T, int N> struct sizes { T s[N]; };\n"
    "template <typename T, int N> [[kernel]] void fill(device T *x [[buffer(0)]],\n"
    "        const constant sizes<int, N> *s [[buffer(1)]], uint i [[thread_position_in_grid]]) {\n"
    "    x[i] = T(s->s[N - 1] * N);\n"
    "}\n"
    "template [[host_name(\"fill_2\")]] [[kernel]] void fill(device float *x [[buffer(0)]],\n"
    "        const constant sizes<int, 2> *s [[buffer(1)]], uint i [[thread_position_in_grid]]);\n"
    "template [[host_name(\"fill_3\")]] [[kernel]] void fill(device uint *x [[buffer(0)]],\n"
    "        const constant sizes<int, 3> *s [[buffer(1)]], uint i [[thread_position_in_grid]]);\n";

static void launch(struct sm_library *library, struct sm_device *device, const char *name, void *a,
                   void *b, void *c)
{
    const bool forward = true;
    const struct sm_constant constants[] = {{"forward", 0, &forward, sizeof forward}};
    struct sm_pipeline *pipeline = NULL;
    struct sm_error error;
    cr_assert(sm_pipeline_make(library, name, constants, 1, &pipeline, &error), "%s: %s", name,
              error.message);
    struct sm_dispatch d = dispatch_of(pipeline, 1, 1);
    d.buffers[0] = a;
    d.buffers[1] = b;
    d.buffers[2] = c;
    run(device, &d);
    sm_pipeline_free(pipeline);
}

Test(softmetal_words, words_and_forms)
{
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    float x = 0;
    uint32_t u = 0, y = 0, z = 40;
    int n = 10, sizes[] = {5, 6, 7};
    launch(library, device, "strides", &x, &n, NULL);
    cr_expect(same(x, sqrt(12 * 100 + 2 * 10 + 1), 1e-6), "strides: %g", (double)x);
    launch(library, device, "fence", &u, &y, &z);
    cr_expect(u == 41 && y == 42, "fence: %u %u", u, y);
    launch(library, device, "masks", &x, NULL, NULL);
    cr_expect(x == 101, "masks: %g", (double)x);
    launch(library, device, "fill_2", &x, sizes, NULL);
    cr_expect(x == 12, "fill_2: %g", (double)x);
    launch(library, device, "fill_3", &u, sizes, NULL);
    cr_expect(u == 21, "fill_3: %u", u);
    sm_library_free(library);
    sm_device_close(device);
}

/* What Metal refuses stays an error: `simd_xor` of float, where it is called. */
Test(softmetal_words, refused)
{
    struct sm_device *device = open_device();
    struct sm_library *library = NULL;
    struct sm_error error;
    cr_assert(sm_library_from_source(
                  device, HEAD "kernel void a(device float *x) { x[0] = simd_xor(x[0]); }\n", NULL,
                  &library, &error),
              "%s", error.message);
    cr_expect(failure_of(library, "a") != NULL, "simd_xor of float compiled");
    sm_library_free(library);
    sm_device_close(device);
}
