/* Where the numbers come from: environment.json as a table, and the command to do it again. */
#include "bench/report/html.h"
#include "bench/report/report.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <string.h>

enum { DEEPEST = 6, LONGEST_NAME = 160 };

static void write_value(FILE *out, const cJSON *item)
{
    if (cJSON_IsString(item)) {
        ts_html_text(out, item->valuestring);
    } else if (cJSON_IsBool(item)) {
        fputs(cJSON_IsTrue(item) ? "yes" : "no", out);
    } else if (cJSON_IsNumber(item)) {
        fprintf(out, "%.15g", item->valuedouble);
    } else {
        fputs("\xe2\x80\x93", out);
    }
}

static bool is_plain_list(const cJSON *list)
{
    const cJSON *item;
    bool plain = cJSON_IsArray(list);
    cJSON_ArrayForEach(item, list)
    {
        plain = plain && !cJSON_IsArray(item) && !cJSON_IsObject(item);
    }
    return plain;
}

/* "machine memory bytes" of path "machine" and key "memory_bytes"; members of lists have numbers. */
static void name_of(const cJSON *item, const char *path, unsigned index, char *name, size_t size)
{
    if (item->string) {
        snprintf(name, size, "%s%s%s", path, path[0] ? " " : "", item->string);
    } else {
        snprintf(name, size, "%s %u", path, index);
    }
    for (char *at = name; *at; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
}

/* One row a value that is known, named by its path; or the names of those that are not, with commas
 * between. Objects within objects are walked to a fixed depth. */
static void write_facts(FILE *out, const cJSON *object, const char *path, unsigned depth,
                        bool known, unsigned *count)
{
    const cJSON *item, *entry;
    unsigned index = 0;
    cJSON_ArrayForEach(item, object)
    {
        char name[LONGEST_NAME];
        bool nested = (cJSON_IsObject(item) || cJSON_IsArray(item)) && !is_plain_list(item);
        name_of(item, path, ++index, name, sizeof name);
        if (nested && depth < DEEPEST) {
            write_facts(out, item, name, depth + 1, known, count);
            continue;
        }
        if (cJSON_IsNull(item) == known) {
            continue;
        }
        fputs(known ? "<tr><th>" : *count > 0 ? ", " : "", out);
        ts_html_text(out, name);
        ++*count;
        if (!known) {
            continue;
        }
        fputs("</th><td>", out);
        if (is_plain_list(item)) {
            cJSON_ArrayForEach(entry, item)
            {
                fputs(entry == item->child ? "" : " ", out);
                write_value(out, entry);
            }
        } else {
            write_value(out, item);
        }
        fputs("</td></tr>\n", out);
    }
}

void ts_report_environment(FILE *out, const struct ts_results *results)
{
    unsigned known = 0, unknown = 0;
    fputs("<div class=\"scroll\" tabindex=\"0\"><table class=\"facts\"><tbody>\n", out);
    write_facts(out, results->environment, "", 0, true, &known);
    fputs("<tr><th>not known here</th><td>", out);
    write_facts(out, results->environment, "", 0, false, &unknown);
    fputs(unknown > 0 ? "" : "nothing", out);
    fputs("</td></tr>\n</tbody></table></div>\n", out);
}

/* One argument as a shell takes it. */
static void write_argument(FILE *out, const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_-+=./,:@%";
    if (text[0] && strspn(text, safe) == strlen(text)) {
        ts_html_text(out, text);
        return;
    }
    fputs("&#39;", out);
    while (*text) {
        size_t plain = strcspn(text, "'");
        ts_html_span(out, text, plain);
        text += plain;
        if (*text) {
            fputs("&#39;\\&#39;&#39;", out);
            text++;
        }
    }
    fputs("&#39;", out);
}

void ts_report_reproduce(FILE *out, const struct ts_results *results)
{
    const cJSON *argv = cJSON_GetObjectItemCaseSensitive(results->environment, "argv"), *argument;
    char commit[96], dirty[16];
    ts_results_environment(results, "build.commit", commit, sizeof commit);
    ts_results_environment(results, "build.dirty", dirty, sizeof dirty);
    char *mark = strstr(commit, ".dirty");
    if (mark) {
        *mark = '\0';
    }
    if (!cJSON_IsArray(argv) || cJSON_GetArraySize(argv) == 0) {
        fputs("<p>The records do not say which command made them.</p>\n", out);
        return;
    }
    fputs("<pre>", out);
    if (commit[0] && strcmp(commit, "unknown") != 0) {
        fputs("git checkout ", out);
        write_argument(out, commit);
        fputs(" &amp;&amp; make all\n", out);
    }
    /* the verb is told its own name, not the program's */
    const char *first = cJSON_GetStringValue(argv->child);
    fputs(first && strcmp(first, "bench") == 0 ? "build/touchstone " : "", out);
    cJSON_ArrayForEach(argument, argv)
    {
        fputs(argument == argv->child ? "" : " ", out);
        write_argument(out, cJSON_IsString(argument) ? argument->valuestring : "");
    }
    fputs("</pre>\n", out);
    if (mark || strcmp(dirty, "true") == 0) {
        fputs("<p class=\"warning\">The tree had changes that were not committed, so the commit "
              "alone does not give this program.</p>\n",
              out);
    }
}
