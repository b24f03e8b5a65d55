// The strict lint of Metal code, as a verb of a command line.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// Reads the arguments after the verb: `[-I DIR]... [-D NAME[=VALUE]]... [--unchecked] FILE...`, with
// argv[0] unused. Prints `file:line: rule: message` for every finding. Returns 0 if there is none,
// 1 if there is one or a file cannot be read, 2 for wrong arguments.
int softmetal_lint(int argc, char **argv);

#ifdef __cplusplus
}
#endif
