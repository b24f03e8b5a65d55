// Measures the software device: softmetal-bench [THREADS]. Results are checked before they count.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "runtime.h"

namespace
{

double now()
{
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void die(const char *what, const sm_error &error)
{
    std::fprintf(stderr, "softmetal-bench: %s: %s\n", what, error.message);
    std::exit(1);
}

struct shape {
    uint32_t rows, columns;
    float epsilon;
    uint32_t spare;
};

sm_pipeline *pipeline(sm_library *library, const char *name)
{
    sm_error error;
    sm_pipeline *p;
    if (!sm_pipeline_make(library, name, nullptr, 0, &p, &error)) {
        die(name, error);
    }
    return p;
}

double processor_time()
{
    return double(std::clock()) / CLOCKS_PER_SEC;
}

// The best and the median of `times` runs, in seconds; and the best processor time of all threads
// together, which other programs on the machine disturb less.
struct spread {
    double best, median, processor;
};
spread measure(sm_device *device, const sm_dispatch &d, int times)
{
    const char *mode = std::getenv("SOFTMETAL_MODE");
    times = mode && std::strcmp(mode, "check") == 0 ? 1 : times; // slow, and not the speed to know
    std::vector<double> seconds, processor;
    for (int i = 0; i < times; i++) {
        sm_error error;
        double start = now(), spent = processor_time();
        if (!sm_dispatch_run(device, &d, &error)) {
            die("dispatch", error);
        }
        seconds.push_back(now() - start);
        processor.push_back(processor_time() - spent);
    }
    std::sort(processor.begin(), processor.end());
    std::sort(seconds.begin(), seconds.end());
    return {seconds[0], seconds[seconds.size() / 2], processor[0]};
}

std::vector<float> noise(size_t n, uint32_t seed)
{
    std::vector<float> v(n);
    for (float &f : v) {
        seed = seed * 1664525u + 1013904223u;
        f = float(seed >> 8) / 8388608.0f - 1.0f;
    }
    return v;
}

void verdict(const char *name, bool right)
{
    if (!right) {
        std::fprintf(stderr, "softmetal-bench: %s: wrong result\n", name);
        std::exit(1);
    }
}

void matvec(sm_device *device, sm_library *library)
{
    const uint32_t n = 4096;
    struct __attribute__((packed)) block {
        uint16_t scale;
        int8_t codes[32];
    };
    std::vector<block> matrix(size_t(n) * n / 32);
    for (size_t i = 0; i < matrix.size(); i++) {
        matrix[i].scale = 0x2000; // 2^-7 as half
        for (int k = 0; k < 32; k++) {
            matrix[i].codes[k] = int8_t((i * 7 + size_t(k) * 13) % 255 - 127);
        }
    }
    std::vector<float> x = noise(n, 1), y(n);
    shape s = {n, n, 0, 0};
    sm_dispatch d = {};
    d.pipeline = pipeline(library, "q8_0_matvec");
    d.buffers[0] = matrix.data();
    d.buffer_bytes[0] = matrix.size() * sizeof matrix[0];
    d.buffers[1] = x.data();
    d.buffer_bytes[1] = x.size() * sizeof x[0];
    d.buffers[2] = y.data();
    d.buffer_bytes[2] = y.size() * sizeof y[0];
    d.buffers[3] = &s;
    d.buffer_bytes[3] = sizeof s;
    d.threads[0] = 128;
    d.threads[1] = d.threads[2] = 1;
    d.groups[0] = n / 8;
    d.groups[1] = d.groups[2] = 1;
    spread t = measure(device, d, 21);
    for (uint32_t row : {0u, 1u, 2047u, 4095u}) {
        double want = 0, size = 0;
        for (uint32_t i = 0; i < n; i++) {
            double term = double(x[i]) * matrix[(size_t(row) * n + i) / 32].codes[i % 32] / 128;
            want += term;
            size += std::fabs(term);
        }
        verdict("q8_0_matvec", std::fabs(want - double(y[row])) < 1e-5 * size);
    }
    std::printf("q8_0_matvec 4096x4096     best %7.2f ms  median %7.2f ms  of one core %7.2f ms\n",
                t.best * 1e3, t.median * 1e3, t.processor * 1e3);
}

void matmul(sm_device *device, sm_library *library)
{
    const uint32_t n = 512;
    std::vector<float> a = noise(n * n, 2), b = noise(n * n, 3), c(n * n);
    shape s = {n, n, 0, 0};
    sm_dispatch d = {};
    d.pipeline = pipeline(library, "matmul");
    d.buffers[0] = a.data();
    d.buffer_bytes[0] = a.size() * sizeof a[0];
    d.buffers[1] = b.data();
    d.buffer_bytes[1] = b.size() * sizeof b[0];
    d.buffers[2] = c.data();
    d.buffer_bytes[2] = c.size() * sizeof c[0];
    d.buffers[3] = &s;
    d.buffer_bytes[3] = sizeof s;
    d.threadgroup_bytes[0] = 2 * 64 * 32 * sizeof(float);
    d.threads[0] = 128;
    d.threads[1] = d.threads[2] = 1;
    d.groups[0] = d.groups[1] = n / 64;
    d.groups[2] = 1;
    spread t = measure(device, d, 11);
    for (uint32_t i = 0; i < n * n; i += 1237) {
        double want = 0;
        for (uint32_t k = 0; k < n; k++) {
            want += double(a[i / n * n + k]) * double(b[k * n + i % n]);
        }
        verdict("matmul", std::fabs(want - double(c[i])) < 1e-3);
    }
    double flops = 2.0 * n * n * n;
    std::printf(
        "matmul 512x512x512        best %7.2f GFLOP/s  median %7.2f GFLOP/s  a core %7.2f\n",
        flops / t.best / 1e9, flops / t.median / 1e9, flops / t.processor / 1e9);
}

void rms_norm(sm_device *device, sm_library *library)
{
    const uint32_t rows = 256, n = 4096;
    std::vector<float> x = noise(size_t(rows) * n, 4), w = noise(n, 5), y(size_t(rows) * n);
    shape s = {rows, n, 1e-6f, 0};
    sm_dispatch d = {};
    d.pipeline = pipeline(library, "rms_norm");
    d.buffers[0] = x.data();
    d.buffer_bytes[0] = x.size() * sizeof x[0];
    d.buffers[1] = w.data();
    d.buffer_bytes[1] = w.size() * sizeof w[0];
    d.buffers[2] = y.data();
    d.buffer_bytes[2] = y.size() * sizeof y[0];
    d.buffers[3] = &s;
    d.buffer_bytes[3] = sizeof s;
    d.threads[0] = 256;
    d.threads[1] = d.threads[2] = 1;
    d.groups[0] = rows;
    d.groups[1] = d.groups[2] = 1;
    spread t = measure(device, d, 21);
    for (uint32_t row : {0u, 100u, 255u}) {
        double sum = 0;
        for (uint32_t i = 0; i < n; i++) {
            sum += double(x[row * n + i]) * double(x[row * n + i]);
        }
        double scale = 1 / std::sqrt(sum / n + 1e-6);
        for (uint32_t i = 0; i < n; i++) {
            double want = double(x[row * n + i]) * scale * double(w[i]);
            verdict("rms_norm", std::fabs(want - double(y[row * n + i])) < 1e-5);
        }
    }
    double elements = double(rows) * n / 1e6;
    std::printf("rms_norm 256x4096         best %7.1f M/s  median %7.1f M/s  a core %7.1f\n",
                elements / t.best, elements / t.median, elements / t.processor);
}

} // namespace

int main(int argc, char **argv)
{
    sm_device_options options = {};
    options.threads = argc > 1 ? unsigned(std::atoi(argv[1])) : 0;
    sm_error error;
    sm_device *device;
    sm_library *library;
    if (!sm_device_open(&options, &device, &error)) {
        die("device", error);
    }
    double start = now();
    if (!sm_library_from_file(device, SOFTMETAL_HEADERS "/../bench/kernels.metal", nullptr,
                              &library, &error)) {
        die("library", error);
    }
    std::printf("threads %u\ncompile (%s)     %8.1f ms\n", sm_device_threads(device),
                sm_library_cached(library) ? "cached" : "cold", (now() - start) * 1e3);
    const char *name, *message;
    if (sm_library_failure(library, 0, &name, &message)) {
        std::fprintf(stderr, "softmetal-bench: %s: %s\n", name, message);
        return 1;
    }
    matvec(device, library);
    matmul(device, library);
    rms_norm(device, library);
    return 0;
}
