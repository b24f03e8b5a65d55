/* A file that becomes shorter while it is mapped: reading what is gone raises SIGBUS. */
#ifndef TS_TOOLS_TOUCHSTONE_SIGBUS_H
#define TS_TOOLS_TOUCHSTONE_SIGBUS_H

/* From here on such a read ends the program with one line, "touchstone: FILE: offset N: ..." (where
 * the system can tell the file, else without it), and the exit code of refused input. Only the
 * command line installs it: a program that uses the library has handlers of its own. */
void ts_catch_lost_files(void);

#endif
