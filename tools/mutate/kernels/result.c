#include "tools/mutate/kernels/kernels.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static bool take_result(const char *line, char *text, size_t capacity)
{
    cJSON *object = cJSON_Parse(line);
    const char *verdict = cJSON_GetStringValue(cJSON_GetObjectItem(object, "verdict"));
    const char *kernel = cJSON_GetStringValue(cJSON_GetObjectItem(object, "kernel"));
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(object, "reason"));
    const char *worst = cJSON_GetStringValue(cJSON_GetObjectItem(object, "worst"));
    bool failed = verdict && kernel && reason && worst && strcmp(verdict, "FAIL") == 0;
    if (failed) {
        snprintf(text, capacity, "%s: %s", kernel, reason[0] ? reason : worst);
    }
    cJSON_Delete(object);
    return failed;
}

void mu_check_detail(const char *output, char *text, size_t capacity)
{
    char line[8192];
    FILE *file = fopen(output, "r");
    bool found = false;
    snprintf(text, capacity, "it said nothing");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '{') {
            found = take_result(line, text, capacity);
        } else if (strncmp(line, "softmetal: ", 11) == 0) {
            snprintf(text, capacity, "%s", line + 11);
            found = true;
        } else if (line[0]) {
            snprintf(text, capacity, "%s", line); /* unless something better follows */
        }
    }
    if (file) {
        fclose(file);
    }
}

static double share_of(const char *line)
{
    cJSON *object = cJSON_Parse(line);
    double wrong = cJSON_GetNumberValue(cJSON_GetObjectItem(object, "wrong"));
    double compared = cJSON_GetNumberValue(cJSON_GetObjectItem(object, "compared"));
    cJSON_Delete(object);
    return wrong > 0 && compared > 0 ? wrong / compared : 1;
}

double mu_check_share(const char *output)
{
    char line[8192];
    double share = 1;
    FILE *file = fopen(output, "r");
    while (file && fgets(line, sizeof line, file)) {
        double kernel = line[0] == '{' ? share_of(line) : 1;
        share = kernel < share ? kernel : share;
    }
    if (file) {
        fclose(file);
    }
    return share;
}
