#include "bench/run/machine.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { TEXT = 1 << 16, VALUE = 256 };

static bool is_apple(void)
{
    struct utsname name;
    return uname(&name) == 0 && strcmp(name.sysname, "Darwin") == 0;
}

/* Reads up to TEXT - 1 bytes; "" if there is nothing. */
static void read_all(FILE *file, char text[TEXT])
{
    size_t length = file ? fread(text, 1, TEXT - 1, file) : 0;
    text[length] = '\0';
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        text[--length] = '\0';
    }
}

static void read_path(const char *path, char text[TEXT])
{
    FILE *file = fopen(path, "rb");
    read_all(file, text);
    if (file) {
        fclose(file);
    }
}

/* What a command prints; macOS tells most of this by programs. "" if there is no such command. */
static void read_command(const char *command, char text[TEXT])
{
    FILE *file = popen(command, "r");
    read_all(file, text);
    if (file) {
        char rest[VALUE];
        while (fread(rest, 1, sizeof rest, file) > 0) {
        }
        pclose(file);
    }
}

static void add_text(cJSON *object, const char *name, const char *text)
{
    if (text && text[0]) {
        ts_json_add_text(object, name, text);
    } else {
        cJSON_AddNullToObject(object, name);
    }
}

static void add_number_of(cJSON *object, const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end != text) {
        cJSON_AddNumberToObject(object, name, value);
    } else {
        cJSON_AddNullToObject(object, name);
    }
}

static void add_bytes(cJSON *object, const char *name, uint64_t bytes)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, bytes);
    add_text(object, name, bytes ? text : "");
}

bool ts_machine_value(const char *text, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    for (const char *line = text; line && *line;) {
        line += strspn(line, " \t");
        const char *end = line + strcspn(line, "\n");
        if (strncmp(line, key, length) == 0 && strchr(" \t:=", line[length])) {
            line += length;
            line += strspn(line, " \t:=\"");
            while (end > line && strchr(" \t\r\"", end[-1])) {
                end--;
            }
            snprintf(value, size, "%.*s", end > line ? (int)(end - line) : 0, line);
            return true;
        }
        line = *end ? end + 1 : end;
    }
    return false;
}

void ts_machine_slug(const char *text, char *slug, size_t size)
{
    size_t length = 0;
    for (; *text && length + 1 < size; text++) {
        if (isalnum((unsigned char)*text)) {
            slug[length++] = (char)tolower((unsigned char)*text);
        } else if (length > 0 && slug[length - 1] != '-') {
            slug[length++] = '-';
        }
    }
    while (length > 0 && slug[length - 1] == '-') {
        length--;
    }
    slug[length] = '\0';
}

/* ---- what stays ---- */

static void describe_apple(cJSON *machine, char text[TEXT])
{
    char value[VALUE] = "";
    read_command("sysctl -n hw.model 2>/dev/null", text);
    add_text(machine, "model", text);
    read_command("sysctl -n machdep.cpu.brand_string 2>/dev/null", text);
    add_text(machine, "chip", text);
    read_command("sysctl -n hw.perflevel0.physicalcpu 2>/dev/null", text);
    add_number_of(machine, "performance_cores", text);
    read_command("sysctl -n hw.perflevel1.physicalcpu 2>/dev/null", text);
    add_number_of(machine, "efficiency_cores", text);
    read_command("system_profiler SPDisplaysDataType 2>/dev/null", text);
    add_text(machine, "gpu",
             ts_machine_value(text, "Chipset Model", value, sizeof value) ? value : "");
    value[0] = '\0';
    ts_machine_value(text, "Total Number of Cores", value, sizeof value);
    add_number_of(machine, "gpu_cores", value);
}

static void describe_linux(cJSON *machine, char text[TEXT])
{
    char value[VALUE] = "";
    read_path("/sys/devices/virtual/dmi/id/product_name", text);
    add_text(machine, "model", text);
    read_path("/proc/cpuinfo", text);
    bool found = ts_machine_value(text, "model name", value, sizeof value) ||
                 ts_machine_value(text, "Hardware", value, sizeof value);
    add_text(machine, "chip", found ? value : "");
    cJSON_AddNullToObject(machine, "performance_cores");
    cJSON_AddNullToObject(machine, "efficiency_cores");
    cJSON_AddNullToObject(machine, "gpu");
    cJSON_AddNullToObject(machine, "gpu_cores");
}

void ts_machine_describe(cJSON *machine)
{
    struct utsname name;
    char text[TEXT], slug[33];
    bool apple = is_apple();
    ts_json_add_text(machine, "name", "unknown");
    (apple ? describe_apple : describe_linux)(machine, text);
    bool known = uname(&name) == 0;
    add_text(machine, "arch", known ? name.machine : "");
    cJSON_AddNumberToObject(machine, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    add_bytes(machine, "memory_bytes",
              pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0);
    const cJSON *chip = cJSON_GetObjectItemCaseSensitive(machine, "chip");
    ts_machine_slug(cJSON_IsString(chip) ? chip->valuestring
                    : known              ? name.machine
                                         : "",
                    slug, sizeof slug);
    if (slug[0]) {
        cJSON_ReplaceItemInObjectCaseSensitive(machine, "name", ts_json_string(slug));
    }
}

void ts_machine_system(cJSON *os)
{
    struct utsname name;
    char text[TEXT], value[VALUE] = "";
    bool known = uname(&name) == 0;
    add_text(os, "name", known ? name.sysname : "");
    if (is_apple()) {
        read_command("sw_vers -productVersion 2>/dev/null", text);
        add_text(os, "version", text);
    } else {
        read_path("/etc/os-release", text);
        ts_machine_value(text, "PRETTY_NAME", value, sizeof value);
        add_text(os, "version", value);
    }
    add_text(os, "release", known ? name.release : "");
    text[0] = '\0';
    if (is_apple()) {
        read_command("sw_vers -buildVersion 2>/dev/null", text);
    }
    add_text(os, "build", text[0] || !known ? text : name.version);
}

void ts_machine_metal(cJSON *metal)
{
    char text[TEXT], value[VALUE] = "";
    if (!is_apple()) {
        cJSON_AddNullToObject(metal, "support");
        cJSON_AddNullToObject(metal, "sdk");
        cJSON_AddNullToObject(metal, "wired_limit_mb");
        cJSON_AddNullToObject(metal, "display");
        return;
    }
    read_command("system_profiler SPDisplaysDataType 2>/dev/null", text);
    bool found = ts_machine_value(text, "Metal Support", value, sizeof value) ||
                 ts_machine_value(text, "Metal Family", value, sizeof value) ||
                 ts_machine_value(text, "Metal", value, sizeof value);
    bool display = strstr(text, "Resolution:") != NULL;
    add_text(metal, "support", found ? value : "");
    read_command("xcrun --sdk macosx --show-sdk-version 2>/dev/null", text);
    add_text(metal, "sdk", text);
    read_command("sysctl -n iogpu.wired_limit_mb 2>/dev/null", text);
    add_number_of(metal, "wired_limit_mb", text);
    cJSON_AddBoolToObject(metal, "display", display);
}

/* ---- what changes ---- */

static void state_apple(cJSON *state, char text[TEXT])
{
    char value[VALUE] = "";
    read_command("pmset -g batt 2>/dev/null", text);
    const char *from = strchr(text, '\''), *to = from ? strchr(from + 1, '\'') : NULL;
    if (to) {
        snprintf(value, sizeof value, "%.*s", (int)(to - from - 1), from + 1);
    }
    add_text(state, "power", value);
    read_command("pmset -g 2>/dev/null", text);
    if (ts_machine_value(text, "lowpowermode", value, sizeof value)) {
        cJSON_AddBoolToObject(state, "low_power", value[0] == '1');
    } else {
        cJSON_AddNullToObject(state, "low_power");
    }
    cJSON_AddNullToObject(state, "governor");
    read_command("pmset -g therm 2>/dev/null", text);
    bool limited = ts_machine_value(text, "CPU_Speed_Limit", value, sizeof value);
    add_text(state, "thermal", limited ? value : text[0] ? "no warning recorded" : "");
    read_command("vm_stat 2>/dev/null", text);
    uint64_t free_pages = 0;
    long page = sysconf(_SC_PAGESIZE);
    if (ts_machine_value(text, "Pages free", value, sizeof value)) {
        free_pages = strtoull(value, NULL, 10);
    }
    add_bytes(state, "memory_free_bytes", page > 0 ? free_pages * (uint64_t)page : 0);
}

/* "AC" if a mains supply is on line, "battery" if there are only batteries, "" if none is listed. */
static const char *linux_power(char text[TEXT])
{
    const char *power = "";
    DIR *folder = opendir("/sys/class/power_supply");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[512];
        snprintf(path, sizeof path, "/sys/class/power_supply/%s/type", entry->d_name);
        read_path(path, text);
        if (strcmp(text, "Battery") == 0 && power[0] == '\0') {
            power = "battery";
        } else if (strcmp(text, "Mains") == 0) {
            snprintf(path, sizeof path, "/sys/class/power_supply/%s/online", entry->d_name);
            read_path(path, text);
            power = text[0] == '1' ? "AC" : power;
        }
    }
    if (folder) {
        closedir(folder);
    }
    return power;
}

static void state_linux(cJSON *state, char text[TEXT])
{
    char value[VALUE] = "";
    add_text(state, "power", linux_power(text));
    cJSON_AddNullToObject(state, "low_power");
    read_path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", text);
    add_text(state, "governor", text);
    read_path("/sys/class/thermal/thermal_zone0/temp", text);
    if (text[0]) {
        snprintf(value, sizeof value, "%.1f C", strtod(text, NULL) / 1000);
    }
    add_text(state, "thermal", value);
    read_path("/proc/meminfo", text);
    value[0] = '\0';
    ts_machine_value(text, "MemAvailable", value, sizeof value);
    add_bytes(state, "memory_free_bytes", strtoull(value, NULL, 10) * 1024);
}

void ts_machine_state(cJSON *state)
{
    char text[TEXT];
    double load[3];
    (is_apple() ? state_apple : state_linux)(state, text);
    int known = getloadavg(load, 3);
    if (known == 3) {
        cJSON_AddItemToObject(state, "load", cJSON_CreateDoubleArray(load, 3));
    } else {
        cJSON_AddNullToObject(state, "load");
    }
}

double ts_machine_load(void)
{
    double load;
    return getloadavg(&load, 1) == 1 ? load : NAN;
}
