/* Simdgroup matrices: products, loads and stores of every shape, elements of a lane. */
#include "support.h"

/* D = A * B + C of small integers, exact in every type; transposed loads; elements of a lane. */
static void check_matrix(const char *type, const char *store)
{
    static char source[4096];
    sprintf(source,
            "#include <metal_stdlib>\nusing namespace metal;\ntypedef %s T;\n"
            "kernel void f(device float *out, uint lane [[thread_index_in_simdgroup]])\n{\n"
            "threadgroup T a[64], b[80];\n"
            "for (uint i = lane; i < 64; i += 32) {\n"
            "  a[i] = T(float(i %% 5)); b[i / 8 * 10 + i %% 8] = T(float(i %% 7) - 3);\n"
            "}\n"
            "simdgroup_barrier(mem_flags::mem_threadgroup);\n"
            "simdgroup_matrix<T, 8, 8> ma, mb, mt;\n"
            "simdgroup_matrix<float, 8, 8> c = make_filled_simdgroup_matrix<float, 8>(2.0), d, e;\n"
            "simdgroup_load(ma, a);\n"
            "simdgroup_load(mb, b, 10);\n"
            "simdgroup_load(mt, a, 8, ulong2(0), true);\n"
            "simdgroup_multiply_accumulate(d, ma, mb, c);\n"
            "simdgroup_store(d, out, 8);\n"
            "simdgroup_multiply(e, mt, mb);\n"
            "simdgroup_store(e, out + 64, 8);\n"
            "%s}\n",
            type, store);
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    float out[192] = {0};
    struct sm_dispatch d = dispatch_of(pipeline, 1, 32);
    d.buffers[0] = out;
    run(device, &d);
    for (int i = 0; i < 64; i++) {
        float plain = 2, transposed = 0;
        for (int k = 0; k < 8; k++) {
            float right = (float)((k * 8 + i % 8) % 7 - 3);
            plain += (float)((i / 8 * 8 + k) % 5) * right;
            transposed += (float)((k * 8 + i / 8) % 5) * right;
        }
        cr_expect(out[i] == plain, "%s: d[%d] is %g, expected %g", type, i, (double)out[i],
                  (double)plain);
        cr_expect(out[64 + i] == transposed, "%s: e[%d] is %g, expected %g", type, i,
                  (double)out[64 + i], (double)transposed);
        float spread = *store ? 3 * plain : 0;
        cr_expect(out[128 + i] == spread, "%s: element %d is %g, expected %g", type, i,
                  (double)out[128 + i], (double)spread);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_matrix, products)
{
    const char *types[] = {"float", "half", "bfloat"};
    for (size_t i = 0; i < 3; i++) {
        check_matrix(types[i], "");
        check_matrix(types[i], "d.thread_elements()[0] *= 3;\n"
                               "d.thread_elements()[1] *= 3;\n"
                               "simdgroup_store(d, out + 128, 8);\n");
        /* a lane's two elements, at the place that Apple's hardware gives them */
        check_matrix(types[i], "ushort q = lane / 4, row = (q & 4) + lane / 2 % 4;\n"
                               "ushort column = (q & 2) * 2 + lane % 2 * 2;\n"
                               "float2 mine = d.thread_elements();\n"
                               "out[128 + row * 8 + column] = mine.x * 3;\n"
                               "out[128 + row * 8 + column + 1] = mine.y * 3;\n");
    }
}

/* Loads and stores with an origin, a stride and transposed, from device and threadgroup memory; what
 * makes matrices; what copies them. The 12 x 12 input holds 12 * row + column. */
static void check_shapes(const char *type)
{
    static char source[4096];
    sprintf(source,
            "#include <metal_stdlib>\nusing namespace metal;\ntypedef %s T;\n"
            "kernel void f(device const T *in, device T *out, uint lane "
            "[[thread_index_in_simdgroup]])\n{\n"
            "threadgroup T t[144];\n"
            "for (uint i = lane; i < 144; i += 32) { t[i] = in[i]; }\n"
            "simdgroup_barrier(mem_flags::mem_threadgroup);\n"
            "simdgroup_matrix<T, 8, 8> a, b, c(T(3)), e = make_filled_simdgroup_matrix<T, 8, "
            "8>(T(2));\n"
            "simdgroup_load(a, in, 12, ulong2(3, 1)); simdgroup_store(a, out, 8);\n"
            "simdgroup_load(a, t, 12, ulong2(1, 2), true); simdgroup_store(a, out + 64, 8);\n"
            "simdgroup_load(b, t + 13, 12); simdgroup_store(b, out + 128, 8, ulong2(0, 0), true);\n"
            "simdgroup_store(b, t, 12, ulong2(2, 3));\n"
            "simdgroup_barrier(mem_flags::mem_threadgroup);\n"
            "for (uint i = lane; i < 64; i += 32) { out[192 + i] = t[(i / 8 + 3) * 12 + i %% 8 + "
            "2]; }\n"
            "simdgroup_store(c, out + 256, 8); simdgroup_store(e, out + 320, 8);\n"
            "a = make_diagonal_simdgroup_matrix<T, 8, 8>(T(2)); simdgroup_multiply(b, a, b);\n"
            "a = b; simdgroup_store(a, out + 384, 8);\n}\n",
            type);
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    union {
        float f[448];
        _Float16 h[448];
    } in = {0}, out = {0};
    bool half = strcmp(type, "half") == 0;
    for (int i = 0; i < 144; i++) {
        half ? (void)(in.h[i] = (_Float16)i) : (void)(in.f[i] = (float)i);
    }
    struct sm_dispatch d = dispatch_of(pipeline, 1, 32);
    d.buffers[0] = &in;
    d.buffers[1] = &out;
    run(device, &d);
    for (int i = 0; i < 448; i++) {
        int r = i % 64 / 8, c = i % 8;
        const int want[] = {12 * (r + 1) + c + 3,      12 * (c + 2) + r + 1, 12 * (c + 1) + r + 1,
                            12 * (r + 1) + c + 1,      r == c ? 3 : 0,       2,
                            2 * (12 * (r + 1) + c + 1)};
        float got = half ? (float)out.h[i] : out.f[i];
        cr_expect(got == (float)want[i / 64], "%s, part %d, [%d, %d] is %g, expected %d", type,
                  i / 64, r, c, (double)got, want[i / 64]);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_matrix, shapes)
{
    check_shapes("float");
    check_shapes("half");
}
