/* Standard output of a program: what could not be written is told, and is no success.
 *
 * A reader that went away (`touchstone check --list | head -1`) ends a program by SIGPIPE, without a
 * word and not with 0. Where files are written too, that must not stop them: such verbs call
 * ts_output_outlive_reader first, and end with the exit code of a failed output. */
#ifndef TS_TOOLS_TOUCHSTONE_OUTPUT_H
#define TS_TOOLS_TOUCHSTONE_OUTPUT_H

/* First of all in main: a file that is opened must not take the place of a closed standard stream. */
void ts_output_begin(void);

void ts_output_outlive_reader(void);

/* Last of all in main: hands everything to the system. Returns `code`, or where that is 0 and output
 * was lost, the exit code of the environment; either way with a line on standard error if it was. */
int ts_output_end(const char *program, int code);

#endif
