/* The check of kernels checks itself: kernels that are wrong on purpose (tests/planted), each reported by
 * its name and its kind of fault. */
#include "tests/support/program.h"
#include "tests/support/software.h"

#include <cjson/cJSON.h>

static char output[1 << 18];

/* A folder with a planted source; -D is one define, or "". */
static struct test_path folder_of(const char *family, const char *define)
{
    struct test_path folder = test_path(family);
    char command[1024];
    snprintf(command, sizeof command,
             "tools/embed-kernels.sh --flat %s tests/planted/%s.metal && "
             "{ printf '%%s\\n' '%s'; cat %s/%s.metal; } > %s/new && mv %s/new %s/%s.metal",
             folder.text, family, define, folder.text, family, folder.text, folder.text,
             folder.text, family);
    cr_assert(system(command) == 0, "%s", command);
    return folder;
}

static void remove_folder(const struct test_path *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder->text);
    cr_expect(system(command) == 0);
}

/* Checks a family with the sources of a folder; the results by kernel. */
static cJSON *check(const char *family, const struct test_path *folder, const char *options,
                    int code)
{
    int got =
        test_run(output, sizeof output, "touchstone check --filter %s --kernels %s %s --json 2>&1",
                 family, folder->text, options);
    cr_assert(got == code, "%s %s: exit code %d, expected %d:\n%s", family, options, got, code,
              output);
    cJSON *results = cJSON_CreateObject();
    for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
        cJSON *result = *line == '{' ? cJSON_Parse(line) : NULL;
        if (result) {
            cJSON_AddItemToObject(
                results, cJSON_GetStringValue(cJSON_GetObjectItem(result, "kernel")), result);
        }
    }
    return results;
}

static const char *text_of(const cJSON *results, const char *kernel, const char *name)
{
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(results, kernel), name));
    cr_assert(text != NULL, "%s has no %s", kernel, name);
    return text;
}

struct expected {
    const char *kernel;
    const char *verdict;
    const char *reason; /* of a failure that is no number, or NULL */
    const char *worst;  /* of one that is */
};

static void expect(const cJSON *results, const struct expected *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct expected *e = &list[i];
        const char *verdict = text_of(results, e->kernel, "verdict");
        const char *reason = text_of(results, e->kernel, "reason");
        const char *worst = text_of(results, e->kernel, "worst");
        cr_expect(strcmp(verdict, e->verdict) == 0, "%s: %s, expected %s: %s%s", e->kernel, verdict,
                  e->verdict, reason, worst);
        cr_expect(e->reason ? strstr(reason, e->reason) != NULL : !*reason,
                  "%s: '%s', expected '%s'", e->kernel, reason, e->reason ? e->reason : "");
        cr_expect(!e->worst || strstr(worst, e->worst), "%s: '%s', expected '%s'", e->kernel, worst,
                  e->worst ? e->worst : "");
    }
}

#define AROUND ": memory around it was written"

Test(metal_planted, memory)
{
    const struct expected list[] = {
        {"embed_f32", "FAIL", "operand streams" AROUND, NULL},
        {"embed_f16", "FAIL", "operand streams" AROUND, NULL},
        {"embed_q8_0", "FAIL", "operand streams" AROUND, NULL},
        {"embed_q2_k", "FAIL", "operand tokens: it is an input and was written", NULL},
        {"embed_q4_k", "FAIL", "operand table: it is an input and was written", NULL},
        {"embed_iq2_xxs", "FAIL", "operand streams: an element was not written", NULL},
        {"embed_mxfp4", "FAIL", NULL, "streams["},
    };
    struct test_path folder = folder_of("embed", "");
    cJSON *results = check("embed", &folder, "--small", 1);
    expect(results, list, sizeof list / sizeof *list);
    cJSON_Delete(results);
    remove_folder(&folder);
}

/* Kernels without end are stopped, and the check goes on with those behind them. */
Test(metal_planted, values_and_ends)
{
    const struct expected list[] = {
        {"embed_f32", "FAIL", NULL, "nan, reference"},
        {"embed_f16", "FAIL", "kernel embed_f16 did not end within 0.5 s", NULL},
        {"embed_q8_0", "FAIL", NULL, "inf, reference"},
        {"embed_q2_k", "FAIL", "operand streams" AROUND, NULL},
        {"embed_q4_k", "FAIL", "operand tokens" AROUND, NULL},
        {"embed_iq2_xxs", "FAIL", "kernel embed_iq2_xxs did not end within 0.5 s", NULL},
        {"embed_mxfp4", "EXACT", NULL, NULL},
    };
    struct test_path folder = folder_of("embed", "");
    cJSON *results = check("embed", &folder, "--small --mutant 1 --limit 0.5", 1);
    expect(results, list, sizeof list / sizeof *list);
    cJSON_Delete(results);
    remove_folder(&folder);
}

/* Where every order of sums gives the same float, the next one is wrong, though within the budget. */
Test(metal_planted, exact_sums)
{
    const struct expected list[] = {
        {"fp8_round", "FAIL", "kernel fp8_round did not end within 0.5 s", NULL},
        {"hadamard", "FAIL", NULL, ", exact: y[0]"},
        {"fp4_round", "EXACT", NULL, NULL},
    };
    struct test_path folder = folder_of("rounding", "");
    cJSON *results = check("rounding", &folder, "--small --limit 0.5", 1);
    expect(results, list, sizeof list / sizeof *list);
    cJSON_Delete(results);
    remove_folder(&folder);
}

/* The same in words, and in the checking mode. */
Test(metal_planted, without_end_in_words)
{
    TEST_NEEDS_SOFTWARE("takes a limit of a launch");
    struct test_path folder = folder_of("rounding", "");
    const char *const modes[] = {"", "--races"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int code =
            test_run(output, sizeof output,
                     "touchstone check --filter fp8_round --kernels %s --limit 0.5 --small %s",
                     folder.text, modes[i]);
        cr_expect(code == 1, "%s: exit code %d:\n%s", modes[i], code, output);
        cr_expect(strstr(output, "kernel fp8_round did not end") && strstr(output, "1 fail"),
                  "%s:\n%s", modes[i], output);
    }
    remove_folder(&folder);
}

/* rms_norm with every output off by a part of itself: what it fails by, and the rho it then has. */
static double rho_of_norm(double off, const char *verdict)
{
    char define[64];
    snprintf(define, sizeof define, "#define OFF %.9gf", off);
    struct test_path folder = folder_of("norm", define);
    bool fails = strcmp(verdict, "FAIL") == 0;
    cJSON *results = check("norm", &folder, "--small --records /dev/null", fails ? 1 : 0);
    const struct expected expected = {"rms_norm", verdict, NULL, NULL};
    expect(results, &expected, 1);
    double rho =
        cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(results, "rms_norm"), "rho"));
    cJSON_Delete(results);
    remove_folder(&folder);
    return rho;
}

/* A little more than the budget is too much. The first check tells what a budget is; honest rounding takes
 * a part of it as well. */
Test(metal_planted, off_by_little_more_than_the_budget)
{
    double budgets = rho_of_norm(1.0 / 4096, "FAIL");
    double honest = rho_of_norm(1e-30, "PASS"); /* roundings, which add to what is planted */
    cr_assert(budgets > 10 && honest < 0.35, "rho %g, honest %g", budgets, honest);
    const double rhos[] = {0.6, 1.5, 3};
    for (size_t i = 0; i < sizeof rhos / sizeof *rhos; i++) {
        double rho = rho_of_norm(rhos[i] / budgets / 4096, rhos[i] < 1 ? "PASS" : "FAIL");
        cr_expect(rho > 0.6 * rhos[i] && rho < 1.1 * rhos[i] + honest && (rho > 1) == (rhos[i] > 1),
                  "rho %g, expected about %g, and the kernel's own %g", rho, rhos[i], honest);
    }
}

/* Both runs are judged, and compared. */
Test(metal_planted, second_run)
{
    const char *const reasons[] = {"operand y: a second run gave other bits",
                                   "operand y: an element was not written", "operand y" AROUND,
                                   "operand x: it is an input and was written"};
    struct test_path folder = folder_of("norm", "");
    for (int bug = 1; bug <= 4; bug++) {
        char options[32];
        snprintf(options, sizeof options, "--mutant %d", bug);
        const struct expected expected = {"rms_norm", "FAIL", reasons[bug - 1], NULL};
        cJSON *results = check("norm", &folder, options, 1);
        expect(results, &expected, 1);
        cJSON_Delete(results);
    }
    remove_folder(&folder);
}

/* What is no number in the reference must be none, and ids are ids. */
Test(metal_planted, lost_nan_and_wrong_index)
{
    const struct expected list[] = {
        {"router_top_k", "FAIL", NULL, "0, reference nan"},
        {"router_hash", "FAIL", NULL, "ids["},
    };
    struct test_path folder = folder_of("router", "");
    cJSON *results = check("router", &folder, "--small", 1);
    expect(results, list, sizeof list / sizeof *list);
    cr_expect(strstr(text_of(results, "router_hash", "worst"), ", expected "));
    cJSON_Delete(results);
    remove_folder(&folder);
}
