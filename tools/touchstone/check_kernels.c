#include "tools/touchstone/check_kernels.h"

#include "base/format.h"
#include "base/json.h"
#include "engine/check/kernel_records.h"
#include "tools/touchstone/output.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *format_of(const struct ts_kernel *kernel)
{
    uint32_t format = kernel->formats[0];
    return format == TS_ANY_FORMAT ? "-" : ts_format_name(format);
}

static int list_kernels(const struct ts_check_table *check)
{
    unsigned count = 0;
    printf("%-28s %-18s %7s %-8s %6s  %s\n", "kernel", "operation", "version", "format", "cases",
           "mutants");
    for (unsigned i = 0; i < TS_KERNEL_COUNT; i++) {
        const struct ts_kernel *k = ts_kernel_at(i);
        const struct ts_op_info *info = ts_op_info(k->op);
        if (!ts_kernel_matches(k, check->options.filter)) {
            continue;
        }
        printf("%-28s %-18s %7u %-8s %6u  ", k->function, info->name, k->version, format_of(k),
               info->cases->count);
        if (k->first_mutant > 0) {
            printf("%s %u to %u\n", info->family, k->first_mutant, k->last_mutant);
        } else {
            printf("-\n");
        }
        count++;
    }
    printf("%u kernels\n", count);
    return count > 0 ? 0 : 1;
}

/* JSON has no infinity: a number that is none is left out. */
static void add_number(cJSON *object, const char *name, double value)
{
    if (isfinite(value)) {
        cJSON_AddNumberToObject(object, name, value);
    }
}

static bool print_json(const struct ts_kernel_result *result)
{
    const struct ts_kernel_score *s = &result->score;
    cJSON *line = cJSON_CreateObject();
    ts_json_add_text(line, "kernel", result->kernel->function);
    ts_json_add_text(line, "operation", ts_op_info(result->kernel->op)->name);
    cJSON_AddNumberToObject(line, "version", result->kernel->version);
    ts_json_add_text(line, "format", format_of(result->kernel));
    ts_json_add_text(line, "verdict", ts_kernel_verdict_name(result->verdict));
    cJSON_AddNumberToObject(line, "cases", result->cases);
    cJSON_AddNumberToObject(line, "compared", (double)s->compared);
    cJSON_AddNumberToObject(line, "wrong", (double)s->wrong);
    add_number(line, "rho", s->rho);
    ts_json_add_text(line, "worst", s->worst);
    add_number(line, "nmse", result->nmse);
    cJSON_AddNumberToObject(line, "max_ulp", (double)s->max_ulp);
    cJSON_AddBoolToObject(line, "over_claimed", result->over_claimed);
    cJSON_AddNumberToObject(line, "seconds", result->seconds);
    ts_json_add_text(line, "reason", result->reason);
    char *text = cJSON_PrintUnformatted(line);
    bool ok = text && puts(text) >= 0;
    cJSON_free(text);
    cJSON_Delete(line);
    return ok;
}

struct printer {
    bool json;
    bool stop;  /* at the first kernel that fails */
    bool begun; /* the head of the table is printed */
};

static bool print_result(void *context, const struct ts_kernel_result *result)
{
    struct printer *printer = context;
    const struct ts_kernel_score *s = &result->score;
    bool goes_on = !printer->stop || result->verdict != TS_KERNEL_FAIL;
    if (printer->json) {
        return print_json(result) && goes_on;
    }
    if (!printer->begun) {
        printf("%-28s %-8s %9s  %-8s  %-8s %9s  %6s  %s\n", "kernel", "verdict", "compared", "rho",
               "nmse", "max ulp", "s", "worst element");
        printer->begun = true;
    }
    char worst[96] = "-";
    if (s->worst_operand) {
        snprintf(worst, sizeof worst, "%s[%" PRIu64 "] of case %u, %s", s->worst_operand,
                 s->worst_element, s->worst_case, ts_regime_name(s->worst_regime));
    }
    printf("%-28s %-8s %9" PRIu64 "  %-8.3g  %-8.2g %9" PRIu64 "  %6.2f  %s%s\n",
           result->kernel->function, ts_kernel_verdict_name(result->verdict), s->compared, s->rho,
           result->nmse, s->max_ulp, result->seconds, worst,
           result->over_claimed ? "  over-claimed: uses under 0.001 of its budget" : "");
    if (result->verdict == TS_KERNEL_FAIL || result->verdict == TS_KERNEL_MARGINAL) {
        printf("    %s\n", result->reason[0] ? result->reason : s->worst);
    }
    if (s->wrong > 0) {
        printf("    %" PRIu64 " of %" PRIu64 " wrong\n", s->wrong, s->compared);
    }
    fflush(stdout);
    return goes_on;
}

static int print_verdict(const struct ts_check_table *check, const struct ts_kernel_totals *totals,
                         const char *reason)
{
    FILE *out = check->json ? stderr : stdout;
    bool worse = totals->marginal > 0 && totals->recorded;
    reason = !reason && worse ? "marginal with a seed that was recorded" : reason;
    bool pass = totals->fail == 0 && totals->compared > 0 && !reason;
    fprintf(out,
            "%s: %u kernels: %u exact, %u pass, %u marginal, %u fail; %" PRIu64
            " elements compared",
            pass ? "PASS" : "FAIL", totals->kernels, totals->exact, totals->pass, totals->marginal,
            totals->fail, totals->compared);
    if (totals->unbuilt > 0) {
        fprintf(out, ", %u do not compile", totals->unbuilt);
    }
    fprintf(out, ", seed %" PRIu64 "%s%s\n", check->options.seed, reason ? "; " : "",
            reason ? reason : "");
    return pass ? 0 : totals->unbuilt > 0 ? 4 : 1;
}

static int run_here(const struct ts_check_table *check, struct ts_kernel_totals *totals)
{
    struct printer printer = {.json = check->json, .stop = check->options.stop};
    struct ts_error error;
    if (!ts_kernels_check(&check->options, print_result, &printer, totals, &error)) {
        return ts_report(&error);
    }
    return 0;
}

/* The checking mode belongs to a process, and one that had reports ends with exit code 70. So the check
 * runs in a child. */
static int run_checking(const struct ts_check_table *check)
{
    int tell[2], status = 0;
    struct ts_kernel_totals totals = {.kernels = 0};
#ifdef __APPLE__ /* whose Metal must not be used in a child that was only forked */
    struct ts_error error;
    ts_fail(&error, TS_ERR_ENVIRONMENT, "run it on Linux",
            "device metal (apple) has no checking mode: the software Metal device has one");
    return ts_report(&error);
#endif
    if (pipe(tell) != 0) {
        perror("touchstone: a pipe");
        return 4;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int code = ts_output_end("touchstone", run_here(check, &totals));
        bool told = write(tell[1], &totals, sizeof totals) == sizeof totals;
        exit(told ? code : 4);
    }
    close(tell[1]);
    bool heard = child > 0 && read(tell[0], &totals, sizeof totals) == sizeof totals;
    close(tell[0]);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || !heard) {
        return print_verdict(check, &totals, "the checking process ended early");
    }
    int code = WEXITSTATUS(status);
    if (code != 0 && code != 70) {
        return code;
    }
    return print_verdict(check, &totals, code == 70 ? "the checking mode made reports" : NULL);
}

/* ---- records ------------------------------------------------------------------------------------ */

/* Seeds that rhos are recorded with: 1 to this. */
enum { RECORDED_SEEDS = 4 };

struct recorder {
    struct ts_kernel_records records;
    uint64_t seed;
    bool failed;
};

static bool record_result(void *context, const struct ts_kernel_result *result)
{
    struct recorder *recorder = context;
    double *rho = &recorder->records.rho[ts_kernel_index(result->kernel)];
    *rho = result->score.rho > *rho ? result->score.rho : *rho;
    recorder->failed |= result->verdict == TS_KERNEL_FAIL;
    fprintf(stderr, "\rseed %" PRIu64 " of %d: %-40s", recorder->seed, (int)RECORDED_SEEDS,
            result->kernel->function);
    if (result->verdict == TS_KERNEL_FAIL) {
        fprintf(stderr, "\n%s fails: nothing is recorded\n", result->kernel->function);
    }
    return !recorder->failed;
}

static int record(const struct ts_check_table *check)
{
    struct recorder recorder = {.failed = false};
    struct ts_kernel_check_options options = check->options;
    struct ts_kernel_totals totals;
    struct ts_error error;
    options.records = NULL;
    for (uint64_t seed = 1; seed <= RECORDED_SEEDS && !recorder.failed; seed++) {
        options.seed = recorder.seed = seed;
        recorder.records.seeds[recorder.records.seed_count++] = seed;
        if (!ts_kernels_check(&options, record_result, &recorder, &totals, &error)) {
            return ts_report(&error);
        }
    }
    if (recorder.failed) {
        return 1;
    }
    if (!ts_kernel_records_write(check->record, &recorder.records, &error)) {
        return ts_report(&error);
    }
    fprintf(stderr, "\r%s: the largest rho of seeds 1 to %d of %u kernels\n", check->record,
            (int)RECORDED_SEEDS, totals.kernels);
    return 0;
}

static int probe(const struct ts_check_table *check)
{
    struct ts_error error;
    const char *name = check->options.device ? check->options.device : "metal";
    const struct ts_device_options options = {.software = check->options.software};
    struct ts_device *device = ts_device_open(name, &options, &error);
    bool computes = device && ts_device_probe(device, &error);
    if (computes) {
        printf("PASS: device %s (%s) computes a known answer\n", name,
               ts_device_limits(device)->provenance);
    }
    ts_device_close(device);
    return computes ? 0 : ts_report(&error);
}

int ts_check_table(const struct ts_check_table *check)
{
    struct ts_kernel_totals totals;
    if (check->probe) {
        return probe(check);
    }
    if (check->list) {
        return list_kernels(check);
    }
    if (check->record) {
        return record(check);
    }
    if (check->options.software.checks) {
        return run_checking(check);
    }
    int code = run_here(check, &totals);
    return code != 0 ? code : print_verdict(check, &totals, NULL);
}
