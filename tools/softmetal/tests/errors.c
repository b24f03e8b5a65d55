/* Sources with errors: each told at its place, kernels without one kept; and the command line. */
#include "support.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD "#include <metal_stdlib>\nusing namespace metal;\n"

Test(softmetal_errors, isolation)
{
    const char *source =
        HEAD "kernel void good(device float *x) { x[0] = 1; }\n"
             "kernel void undeclared(device float *x) { x[0] = y; }\n" /* line 4 */
             "float helper(float v) { return v + missing; }\n"
             "kernel void uses_helper(device float *x) { x[0] = helper(x[1]); }\n"
             "template <typename T> void inner(device T *x) { x[0] = x[1] % x[2]; }\n"
             "template <typename T> kernel void remainder(device T *x) { inner(x); }\n"
             "template [[host_name(\"r_int\")]] kernel void remainder<int>(device int *);\n"
             "template [[host_name(\"r_float\")]] kernel void remainder<float>(device float *);\n"
             "template [[host_name(\"r_half\")]] kernel void remainder<half>(device half *);\n"
             "kernel void also_good(device float *x) {\n  x[0] = 2;\n}\n";
    struct sm_device *device = open_device();
    struct sm_library *library = NULL;
    struct sm_error error;
    cr_assert(sm_library_from_source(device, source, NULL, &library, &error), "%s", error.message);
    const char *good[] = {"good", "r_int", "also_good"};
    for (size_t i = 0; i < 3; i++) {
        cr_expect(sm_library_find(library, good[i]) != NULL, "%s is lost", good[i]);
    }
    const struct {
        const char *name, *place;
    } bad[] = {{"undeclared", "program_source:4: "},
               {"uses_helper", "program_source:5: "},
               {"r_float", "program_source:7: "},
               {"r_half", "program_source:7: "}};
    for (size_t i = 0; i < 4; i++) {
        const char *message = failure_of(library, bad[i].name);
        cr_expect(message && strncmp(message, bad[i].place, strlen(bad[i].place)) == 0,
                  "%s: %s, expected a message at %s", bad[i].name, message ? message : "compiled",
                  bad[i].place);
    }
    struct sm_pipeline *pipeline;
    cr_expect(!sm_pipeline_make(library, "r_float", NULL, 0, &pipeline, &error));
    cr_expect(strstr(error.message, "program_source:7") != NULL, "%s", error.message);
    cr_expect(!sm_pipeline_make(library, "nothing", NULL, 0, &pipeline, &error));
    cr_expect(strstr(error.message, "'nothing'") != NULL, "%s", error.message);
    sm_library_free(library);
    cr_expect(!sm_library_from_source(device, "#include \"absent.h\"\n", NULL, &library, &error));
    cr_expect(strstr(error.message, "program_source:1") && strstr(error.message, "absent.h"), "%s",
              error.message);
    cr_expect(!sm_library_from_file(device, TESTS "/absent.metal", NULL, &library, &error));
    cr_expect(strstr(error.message, TESTS "/absent.metal") != NULL, "%s", error.message);
    cr_expect(!sm_library_from_source(device,
                                      HEAD "kernel void f(texture2d<float> t "
                                           "[[texture(0)]]) {}\n",
                                      NULL, &library, &error));
    cr_expect(strstr(error.message, "program_source:3") != NULL, "%s", error.message);
    sm_device_close(device);
}

/* Sources with errors outside kernels, and the kernels that these must fail or spare. */
static const struct {
    const char *source, *errors[3], *good, *bad;
} file_cases[] = {
    {HEAD, {NULL}, NULL, NULL},
    {HEAD "kernel void k( { }\n", {"program_source:3: "}, NULL, NULL},
    {HEAD "float h(float x) { return absent; }\n",
     {"program_source:3: use of undeclared identifier 'absent'"},
     NULL,
     NULL},
    {HEAD "float h(int x) { return x; }\n"
          "float h(float x) { return x + absent; }\n"
          "float through(float x) { return h(x); }\n"
          "kernel void good(device float *x) { x[0] = h(1); }\n"
          "kernel void bad(device float *x) { x[0] = through(1); }\n",
     {"program_source:4: use of undeclared identifier 'absent'"},
     "good",
     "bad"},
    {HEAD "float h(float x);\n"
          "kernel void good(device float *x) { x[0] = 1; }\n"
          "kernel void bad(device float *x) { x[0] = h(1); }\n"
          "float h(float x) { return absent + x; }\n"
          "float other() { return missing; }\n",
     {"program_source:6: use of undeclared identifier 'absent'",
      "program_source:7: use of undeclared identifier 'missing'"},
     "good",
     "bad"},
    {HEAD "kernel void bad(device float *x) { threadgroup float s[4], *p = s; x[0] = p[0]; }\n"
          "kernel void good(device float *x) { threadgroup float s[4], t; s[0] = t = 1; }\n",
     {NULL},
     "good",
     "bad"},
    {HEAD "kernel void bad(device float *x) { x[0] = y; }\n"
          "kernel void good(device float *x) { x[0] = 1; }\n",
     {NULL},
     "good",
     "bad"},
};

/* Errors outside kernels are told, and fail the kernels that need what they are in: not those that
 * call another function of the name. */
Test(softmetal_errors, errors_of_the_file)
{
    struct sm_device *device = open_device();
    for (size_t i = 0; i < 2 * sizeof file_cases / sizeof *file_cases; i++) {
        size_t c = i / 2; /* the second time from the cache */
        struct sm_library *library = NULL;
        struct sm_error error;
        const char *message;
        cr_assert(sm_library_from_source(device, file_cases[c].source, NULL, &library, &error),
                  "%s", error.message);
        for (size_t e = 0; e < 3 && (e == 0 || file_cases[c].errors[e - 1]); e++) {
            const char *want = file_cases[c].errors[e];
            bool told = sm_library_error(library, e, &message);
            bool more = c == 1 && e == 1; /* what else is wrong there is the compiler's to say */
            cr_expect(more || (want ? told && strncmp(message, want, strlen(want)) == 0 : !told),
                      "case %zu, error %zu: %s", c, e, told ? message : "none");
        }
        if (file_cases[c].good) {
            cr_expect(sm_library_find(library, file_cases[c].good) != NULL, "case %zu: %s", c,
                      failure_of(library, file_cases[c].good));
            message = failure_of(library, file_cases[c].bad);
            const char *want =
                file_cases[c].errors[0] ? file_cases[c].errors[0] : "program_source:3: ";
            cr_expect(message && strncmp(message, want, strlen(want)) == 0, "case %zu: %s", c,
                      message ? message : "compiled");
        }
        sm_library_free(library);
    }
    sm_device_close(device);
}

/* A source that ends anywhere gives kernels or a message, never a crash. */
Test(softmetal_errors, broken_sources)
{
    const char *source = HEAD
        "constant int c [[function_constant(1)]];\n"
        "constant int d = is_function_constant_defined(c) ? c : 2;\n"
        "template <typename T, int N> struct S { T v[N]; T get(int i) const device; };\n"
        "template <typename T> kernel void f(device T *x [[buffer(0)]], uint i "
        "[[thread_position_in_grid]]) { threadgroup T s[4]; s[0] = x[i] + 1.5h; x[i] = s[0]; }\n"
        "template [[host_name(\"f_half\")]] kernel void f<half>(device half *, uint);\n";
    struct sm_device *device = open_device();
    size_t length = strlen(source);
    for (size_t cut = 20; cut < length; cut += 29) {
        char text[1024];
        struct sm_library *library = NULL;
        struct sm_error error = {.message = ""};
        snprintf(text, sizeof text, "%.*s", (int)cut, source);
        if (sm_library_from_source(device, text, NULL, &library, &error)) {
            sm_library_free(library);
        } else {
            cr_expect(error.message[0] != 0, "cut at %zu: no message", cut);
        }
    }
    sm_device_close(device);
}

Test(softmetal_errors, command_line)
{
    char path[64], command[512], line[256], out[4096] = "";
    const char *build = getenv("TS_BUILD") ? getenv("TS_BUILD") : "build";
    mkdir("build/tmp", 0777);
    snprintf(path, sizeof path, "build/tmp/softmetal-cli-%d.metal", (int)getpid());
    put(path, HEAD "kernel void a(device float *x) { x[0] = W; }\n"
                   "kernel void b(device float *x) { x[0] = nothing; }\n");
    snprintf(command, sizeof command, "%s/softmetal compile %s -D W=1 -I tests", build, path);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    while (fgets(line, sizeof line, pipe)) {
        strcat(out, line);
    }
    int status = pclose(pipe);
    char want[512];
    snprintf(want, sizeof want,
             "ok a\nfail b %s:4: use of undeclared identifier 'nothing'\n"
             "1 of 2 kernels compiled\n",
             path);
    cr_expect(strcmp(out, want) == 0, "%s", out);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    put(path, HEAD "kernel void a(device float *x) { x[0] = 1; }\nfloat h() { return none; }\n");
    snprintf(command, sizeof command, "%s/softmetal compile %s", build, path);
    pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    out[fread(out, 1, sizeof out - 1, pipe)] = 0;
    status = pclose(pipe);
    snprintf(want, sizeof want,
             "ok a\nfail (file) %s:4: use of undeclared identifier 'none'\n"
             "1 of 1 kernels compiled\n",
             path);
    cr_expect(strcmp(out, want) == 0, "%s", out);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "an error beside a good kernel");
    snprintf(command, sizeof command, "%s/softmetal >/dev/null 2>&1", build);
    cr_expect(WEXITSTATUS(system(command)) == 2, "usage");
    remove(path);
}
