/* The check of kernels sees wrong handling of numbers, without an option: NaN that is dropped, epsilons and
 * scales that are too small, subnormals, and reads behind an operand whose value is not even used. */
#include "tests/support/program.h"

static char output[1 << 16];

/* `kernel` fails with a planted bug, in a case of that regime. */
static void expect_found(const char *kernel, unsigned mutant, const char *regime)
{
    int code = test_run(output, sizeof output, "touchstone check --filter %s --mutant %u 2>&1",
                        kernel, mutant);
    cr_expect(code == 1, "%s, mutant %u: exit code %d:\n%s", kernel, mutant, code, output);
    cr_expect(strstr(output, regime) != NULL, "%s, mutant %u: not by '%s':\n%s", kernel, mutant,
              regime, output);
}

Test(metal_values, planted_numbers)
{
    expect_found("rms_norm", 6, "special 0: y[");       /* NaN of a row becomes 0 */
    expect_found("rms_norm", 7, ", extreme ");          /* the epsilon at whole widths */
    expect_found("ring_store", 16, "special 0: ring["); /* numbers beyond those of E4M3 */
    expect_found("head_weights", 6, "special 0: pre[");
    expect_found("hc_expand", 14, "special 0: expanded[");
}

/* The family norm with one of its lines changed, and what the check says of it. */
static int check_changed(const char *change)
{
    struct test_path folder = test_path("values");
    char command[1024];
    snprintf(
        command, sizeof command,
        "tools/embed-kernels.sh --flat %s kernels/norm.metal && sed -i.old -e '%s' %s/norm.metal "
        "&& ! cmp -s %s/norm.metal %s/norm.metal.old",
        folder.text, change, folder.text, folder.text, folder.text);
    cr_assert(system(command) == 0, "%s", command);
    int code = test_run(output, sizeof output, "touchstone check --filter norm --kernels %s 2>&1",
                        folder.text);
    snprintf(command, sizeof command, "rm -rf %s", folder.text);
    cr_expect(system(command) == 0);
    return code;
}

Test(metal_values, reads_behind_an_operand)
{
    int code =
        check_changed("s/float factor = /float factor = 0.0f * ts_weight(weight, 1, i + 1) + /");
    cr_expect(code == 1 && strstr(output, "touched memory outside of its buffers"), "%d:\n%s", code,
              output);
    code = check_changed("s/float mean = /float mean = 0.0f * from[int(i0) - 1] + /; "
                         "s/float sum = 0.0f;/float sum = 0.0f; uint i0 = 0;/");
    /* before it stands a guard, NaN in the first run and a number in the second */
    cr_expect(code == 1 && strstr(output, "a second run gave other bits"), "%d:\n%s", code, output);
}
