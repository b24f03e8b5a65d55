/* touchstone check over the table of kernels: it passes what is right, and fails what is wrong. */
#include "tests/support/program.h"
#include "tests/support/software.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static char output[1 << 20];

/* The last line of what was printed. */
static const char *last_line(void)
{
    size_t length = strlen(output);
    while (length > 0 && output[length - 1] == '\n') {
        output[--length] = '\0';
    }
    char *line = strrchr(output, '\n');
    return line ? line + 1 : output;
}

static void expect(int code, const char *arguments, const char *begins, const char *contains)
{
    int got = test_run(output, sizeof output, "touchstone check %s", arguments);
    cr_assert(got == code, "check %s: exit code %d, expected %d:\n%s", arguments, got, code,
              output);
    cr_assert(strstr(output, contains) != NULL, "check %s: no '%s' in:\n%s", arguments, contains,
              output);
    const char *line = last_line();
    cr_assert(strncmp(line, begins, strlen(begins)) == 0, "check %s: ends with '%s'", arguments,
              line);
}

Test(metal_check, right_kernels_pass)
{
    expect(0, "--filter norm", "PASS: 1 kernels: 0 exact, 1 pass", "rms_norm");
    expect(0, "--filter norm --seed 77", "PASS: 1 kernels", "seed 77");
}

/* Every planted bug of the norm, and what the failure names. */
Test(metal_check, planted_bugs_fail)
{
    for (int mutant = 1; mutant <= 4; mutant++) {
        char arguments[64];
        snprintf(arguments, sizeof arguments, "--filter norm --mutant %d", mutant);
        expect(1, arguments, "FAIL: 1 kernels: 0 exact, 0 pass, 0 marginal, 1 fail", "case ");
    }
    expect(1, "--filter norm --mutant 2", "FAIL", "y[0]");
}

/* Numbers that lose bits: ids, tokens, slots of a ring, logits. */
Test(metal_check, wrong_sizes_fail)
{
    expect(1, "--filter embed_q8_0 --mutant 6", "FAIL", "streams[");
    expect(1, "--filter head_weights --mutant 7", "FAIL", "pre[");
    expect(1, "--filter ring_store --mutant 17", "FAIL", "ring[");
    expect(1, "--filter rope --mutant 6", "FAIL", "y[");
    expect(1, "--filter router_hash --mutant 10", "FAIL", "ids[");
}

/* A deleted barrier: the checking mode names the line, and the process that had reports is a failure. */
Test(metal_check, deleted_barrier_is_reported)
{
    TEST_NEEDS_SOFTWARE("reports races");
    expect(1, "--filter matmul_tile_f32 --races --mutant 7", "FAIL", "kernels/tile.h:");
    cr_expect(strstr(output, "the checking mode made reports") != NULL);
    expect(0, "--filter norm --races", "PASS", "rms_norm");
}

/* Sums in any order, and functions as far off as they may be. */
Test(metal_check, worst_arithmetic_passes)
{
    TEST_NEEDS_SOFTWARE("has the worst arithmetic");
    expect(0, "--filter norm --adversarial 3", "PASS", "rms_norm");
}

Test(metal_check, wrong_use)
{
    expect(2, "--filter no-such-kernel", "hint: touchstone check --list", "no kernel matches");
    expect(1, "--list --filter ''", "0 kernels", "mutants");
    expect(2, "--filter ''", "hint: touchstone check --list", "no kernel matches ''");
    expect(2, "--filter", "hint:", "--filter lacks its value");
    expect(2, "--filter norm --seed junk", "touchstone:", "--seed: 'junk'");
    expect(2, "--filter norm --seed -1", "touchstone:", "--seed: '-1'");
    expect(2, "--filter norm --limit -1", "touchstone:", "--limit: '-1'");
    expect(2, "--filter norm --golden tests/data/ops.gguf",
           "hint:", "--filter means nothing with --golden");
    expect(2, "--chunk 4", "hint:", "--chunk");
    expect(2, "--filter norm --device reference", "hint:", "has no kernels");
    expect(4, "--filter norm --device reference --races", "hint:", "has no checking mode");
    expect(2, "--bisect", "hint:", "needs -m FILE with --bisect");
    expect(2, "--filter norm --records build/tmp/no-such-file", "touchstone:", "cannot be opened");
}

/* What cannot find anything is refused by one line, with a hint. */
static void expect_refusal(const char *arguments, const char *line)
{
    expect(2, arguments, "hint:", line);
    unsigned lines = 0;
    for (const char *at = output; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    cr_expect(lines == 1, "check %s: more than a line and a hint:\n%s", arguments, output);
}

Test(metal_check, nothing_to_find)
{
    expect_refusal("--filter hadamard --mutant 7", "no kernel that is checked has planted bug 7");
    expect_refusal("--filter norm --mutant 8", "no kernel that is checked has planted bug 8");
    expect_refusal("--filter norm --races --mutant 8", "planted bug 8");
    expect_refusal("--filter rope --kernels tests/no-such-folder", "there is no such folder");
    expect_refusal("--filter norm --kernels tests/check_test.c", "there is no such folder");
    expect_refusal("--kernels tests", "no source of the kernels that are checked");
    expect_refusal("--filter rope --kernels tests/planted", "no source of the kernels");
    expect_refusal("--mutant 99", "no kernel that is checked has planted bug 99");
    expect(1, "--filter norm --mutant 5", "FAIL: 1 kernels", "case ");
}

Test(metal_check, lists)
{
    expect(0, "--list", "", "matmul_tile_iq2_xxs");
    cr_expect(strstr(last_line(), " kernels") != NULL);
    expect(1, "--list --filter no-such-kernel", "0 kernels", "mutants");
}

/* A device is asked by a known answer, never by its name. */
Test(metal_check, probe)
{
    TEST_NEEDS_SOFTWARE("fails on request");
    expect(0, "--probe", "PASS: device metal (software)", "known answer");
    setenv("SOFTMETAL_FAULT", "timeout", 1);
    expect(4, "--probe", "touchstone: the Metal device runs nothing", "runs nothing");
}

Test(metal_check, json)
{
    int code = test_run(output, sizeof output,
                        "touchstone check --filter norm --json 2>/dev/null | head -n 1");
    cr_assert(code == 0);
    cJSON *line = cJSON_Parse(output);
    cr_assert(line != NULL, "%s", output);
    cr_expect(strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(line, "kernel")), "rms_norm") == 0);
    cr_expect(cJSON_GetNumberValue(cJSON_GetObjectItem(line, "compared")) > 1000);
    cr_expect(cJSON_GetNumberValue(cJSON_GetObjectItem(line, "rho")) > 0.001);
    cJSON_Delete(line);
}

static void write_file(const struct test_path *path, const char *text)
{
    FILE *file = fopen(path->text, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* More than 4 times the recorded rho is said; it is a failure where the seed is one that was recorded. */
Test(metal_check, records)
{
    struct test_path path = test_path("rho.jsonl");
    char arguments[128];
    snprintf(arguments, sizeof arguments, "--filter norm --records %s", path.text);
    write_file(&path, "{\"kernel\":\"rms_norm\",\"rho\":0.0001}\n");
    expect(0, arguments, "PASS: 1 kernels: 0 exact, 0 pass, 1 marginal", "MARGINAL");
    write_file(&path, "{\"seeds\":[1,2]}\n{\"kernel\":\"rms_norm\",\"rho\":0.0001}\n");
    expect(1, arguments, "FAIL: 1 kernels: 0 exact, 0 pass, 1 marginal", "MARGINAL");
    char other[160];
    snprintf(other, sizeof other, "%s --seed 3", arguments);
    expect(0, other, "PASS: 1 kernels: 0 exact, 0 pass, 1 marginal", "MARGINAL");
    write_file(&path, "{\"seeds\":[1,\"x\"]}\n");
    expect(1, arguments, "hint:", "line 1");
    write_file(&path, "{\"seeds\":[1]}\n{\"kernel\":\"rms_norm\",\"rho\":0.9}\n");
    expect(0, arguments, "PASS: 1 kernels: 0 exact, 1 pass", "PASS");
    write_file(&path, "\n{\"kernel\":\"of_another_version\",\"rho\":0.9}\n{\"kernel\":3}\n");
    expect(1, arguments, "hint:", "line 3");
    remove(path.text);
}
