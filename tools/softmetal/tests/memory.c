/* Memory of every kind: atomics, threadgroup variables, constants at program scope. */
#include "support.h"

#define HEAD "#include <metal_stdlib>\nusing namespace metal;\n"

enum { THREADS = 96, GROUPS = 5, TOTAL = THREADS * GROUPS };

/* Each operation is done once by every thread i from 0 on, beginning at `start`. */
static const struct {
    const char *type, *operation;
    double start, want;
} atomics[] = {
    {"int", "atomic_fetch_add_explicit(&a[R], int(i) - 10, memory_order_relaxed)", 5,
     5 + TOTAL *(TOTAL - 1) / 2 - 10 * TOTAL},
    {"uint", "atomic_fetch_sub_explicit(&a[R], 2u, memory_order_relaxed)", 5000, 5000 - 2 * TOTAL},
    {"int", "atomic_fetch_min_explicit(&a[R], -int(i), memory_order_relaxed)", 5, 1 - TOTAL},
    {"uint", "atomic_fetch_max_explicit(&a[R], i, memory_order_relaxed)", 5, TOTAL - 1},
    {"uint", "atomic_fetch_or_explicit(&a[R], 1u << i % 20, memory_order_relaxed)", 0, 0xfffff},
    {"uint", "atomic_fetch_and_explicit(&a[R], ~(1u << i % 20), memory_order_relaxed)", 0x1fffff,
     0x100000},
    {"uint", "atomic_fetch_xor_explicit(&a[R], 3u, memory_order_relaxed)", 8, 8},
    {"float", "atomic_fetch_add_explicit(&a[R], 0.5f, memory_order_relaxed)", 1, 1 + TOTAL / 2},
    {"float", "atomic_fetch_sub_explicit(&a[R], 0.25f, memory_order_relaxed)", 0, -TOTAL / 4},
    {"ulong", "atomic_max_explicit(&a[R], ulong(i) << 33, memory_order_relaxed)", 1,
     (TOTAL - 1) * 8589934592.0},
    {"ulong", "atomic_min_explicit(&a[R], ulong(i) + 7, memory_order_relaxed)", 1e15, 7},
    {"int",
     "int old = atomic_load_explicit(&a[R], memory_order_relaxed); while "
     "(!atomic_compare_exchange_weak_explicit(&a[R], &old, old + 2, memory_order_relaxed, "
     "memory_order_relaxed)) {}",
     1, 1 + 2 * TOTAL},
    {"uint", "atomic_exchange_explicit(&a[R], 7u, memory_order_relaxed)", 1, 7},
    {"int", "atomic_store_explicit(&a[R], 9, memory_order_relaxed)", 1, 9},
    {"bool", "atomic_store_explicit(&a[R], true, memory_order_relaxed)", 0, 1},
};
enum { ATOMICS = sizeof atomics / sizeof *atomics };

/* In device memory, row r at byte 8 r, for all groups; and in threadgroup memory for one. */
static void check_atomics(bool shared, uint32_t groups)
{
    static char source[16384];
    char *at = source;
    at +=
        sprintf(at, HEAD "kernel void f(device ulong *x, uint i [[thread_position_in_grid]])\n{\n");
    for (int r = 0; r < ATOMICS; r++) {
        const char *t = atomics[r].type;
        if (shared) {
            at += sprintf(at,
                          "{ threadgroup atomic<%s> s[1]; threadgroup atomic<%s> *a = s - %d;\n"
                          "if (i == 0) { *(threadgroup %s *)s = *(device %s *)(x + %d); }\n"
                          "threadgroup_barrier(mem_flags::mem_threadgroup);\n",
                          t, t, r, t, t, r);
        } else {
            at += sprintf(at, "{ device atomic<%s> *a = (device atomic<%s> *)(x + %d) - %d;\n", t,
                          t, r, r);
        }
        at += sprintf(at, "const int R = %d; %s;\n", r, atomics[r].operation);
        at += sprintf(at,
                      shared ? "threadgroup_barrier(mem_flags::mem_threadgroup);\n"
                               "if (i == 0) { *(device %s *)(x + %d) = *(threadgroup %s *)s; } }\n"
                             : "}\n",
                      t, r, t);
    }
    sprintf(at, "}\n");
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    union {
        uint64_t u;
        int32_t i;
        float f;
        bool b;
    } x[ATOMICS];
    for (int r = 0; r < ATOMICS; r++) {
        char t = atomics[r].type[0];
        double start = atomics[r].start;
        x[r].u = t == 'u' || t == 'b' ? (uint64_t)start : 0;
        t == 'i'   ? (void)(x[r].i = (int32_t)start)
        : t == 'f' ? (void)(x[r].f = (float)start)
                   : (void)0;
    }
    struct sm_dispatch d = dispatch_of(pipeline, groups, TOTAL / groups);
    d.buffers[0] = x;
    run(device, &d);
    for (int r = 0; r < ATOMICS; r++) {
        char t = atomics[r].type[0];
        double got = t == 'i' ? x[r].i : t == 'f' ? (double)x[r].f : (double)x[r].u;
        cr_expect(got == atomics[r].want, "%s: %.0f, expected %.0f", atomics[r].operation, got,
                  atomics[r].want);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}

Test(softmetal_memory, atomics)
{
    check_atomics(false, GROUPS);
    check_atomics(true, 1);
}

/* Structs, arrays of arrays and unions in threadgroup memory; tables and structs that are constant;
 * what a function is handed of each. */
Test(softmetal_memory, variables)
{
    const char *source = HEAD
        "struct pair_of { ushort key; packed_half3 v; uchar tail[3]; };\n"
        "struct node { pair_of p[2]; float4 sum; };\n"
        "union bits { float f; uint u; uchar4 c; };\n"
        "constant float weights[2][3] = {{1, 2, 3}, {4, 5, 6}};\n"
        "constant pair_of table[] = {{7, packed_half3(1, 2, 3), {1, 2, 3}}, {9, packed_half3(4), "
        "{4}}};\n"
        "constant constexpr uchar masks[4] = {1, 2, 4, 8};\n"
        "static constant uint3 corner = uint3(1, 2, 3);\n"
        "template <int N> struct primes { static constant int list[N]; };\n"
        "template <int N> constant int primes<N>::list[N] = {2, 3, 5};\n"
        "float total(threadgroup const node *n, uint count) {\n"
        "  float s = 0; for (uint i = 0; i < count; i++) { s += n[i].sum.w + "
        "float(n[i].p[1].v[2]); }\n"
        "  return s; }\n"
        "float weigh(constant const float (&w)[3]) { return w[0] * w[1] * w[2]; }\n"
        "kernel void f(device float *out, constant pair_of &given [[buffer(1)]],\n"
        "  constant node *nodes [[buffer(2)]], uint i [[thread_index_in_threadgroup]])\n{\n"
        "threadgroup node n[32]; threadgroup bits b[2][16]; threadgroup float2 pairs[4][8];\n"
        "n[i] = node{{{ushort(i), packed_half3(half(i)), {1, 2, 3}}, table[i % 2]}, float4(i)};\n"
        "b[i / 16][i % 16].f = float(i); pairs[i / 8][i % 8] = float2(i, -float(i));\n"
        "threadgroup_barrier(mem_flags::mem_threadgroup);\n"
        "if (i > 0) { return; }\n"
        "out[0] = total(n, 32); out[1] = weigh(weights[1]); out[2] = n[31].p[0].v.y;\n"
        "out[3] = b[1][15].u == as_type<uint>(31.0); out[4] = pairs[3][7].y; out[5] = masks[3];\n"
        "out[6] = corner.z; out[7] = primes<3>::list[2]; out[8] = sizeof(pair_of);\n"
        "out[9] = given.tail[2] + given.key; out[10] = nodes[1].sum.x + float(nodes[1].p[1].v.z);\n"
        "constant pair_of *t = table; out[11] = t[1].tail[0] + t[1].tail[2];\n"
        "thread const pair_of copy = table[0]; out[12] = copy.v.z + n[5].p[0].tail[1];\n"
        "node local = n[3]; local.sum *= 2; out[13] = local.sum.y + n[3].sum.y; }\n";
    struct {
        uint16_t key;
        _Float16 v[3];
        uint8_t tail[3];
    } given = {5, {0}, {1, 2, 3}};
    _Alignas(16) uint8_t nodes[96] = {0};
    const float one = 1;
    const _Float16 two = 2;
    memcpy(nodes + 48 + 32, &one, sizeof one);
    memcpy(nodes + 48 + 12 + 2 + 4, &two, sizeof two);
    float out[14] = {0};
    struct sm_device *device = open_device();
    struct sm_library *library = library_of(device, source);
    struct sm_pipeline *pipeline = pipeline_of(library, "f");
    struct sm_dispatch d = dispatch_of(pipeline, 1, 32);
    d.buffers[0] = out;
    d.buffers[1] = &given;
    d.buffers[2] = nodes;
    run(device, &d);
    /* 496 + 16 * 3 + 16 * 4; 31 in half */
    const float want[] = {608, 120, 31, 1, -31, 8, 3, 5, 12, 8, 3, 4, 5, 9};
    for (int i = 0; i < 14; i++) {
        cr_expect(out[i] == want[i], "out[%d] is %g, expected %g", i, (double)out[i],
                  (double)want[i]);
    }
    sm_pipeline_free(pipeline);
    sm_library_free(library);
    sm_device_close(device);
}
