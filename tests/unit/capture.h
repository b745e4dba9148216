/* What a function prints, for tests of commands. */
#ifndef GH_TEST_CAPTURE_H
#define GH_TEST_CAPTURE_H

/* What went to stdout and stderr between begin and end; terminated, cut at the buffers' size. */
extern char capture_out[1 << 18], capture_err[1 << 16];
void capture_begin(void);
void capture_end(void);
/* Runs a command with the words of `line`, which are parted by blanks ('%' in a word stands for one), and
 * captures it; gives its exit code. */
int capture_command(int (*command)(int argc, char **argv), const char *line);

#endif
