/* Redirects stdout and stderr into files for a while. */
#include "unit/capture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char capture_out[1 << 18], capture_err[1 << 16];

static FILE *files[2];
static int saved[2];

void capture_begin(void)
{
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        files[i] = tmpfile();
        ck_assert_ptr_nonnull(files[i]);
        saved[i] = dup(i + 1);
        ck_assert_int_ge(saved[i], 0);
        dup2(fileno(files[i]), i + 1);
    }
}

void capture_end(void)
{
    char *texts[2] = {capture_out, capture_err};
    size_t sizes[2] = {sizeof capture_out, sizeof capture_err};
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
        rewind(files[i]);
        size_t len = fread(texts[i], 1, sizes[i] - 1, files[i]);
        texts[i][len] = '\0';
        fclose(files[i]);
    }
}

int capture_command(int (*command)(int argc, char **argv), const char *line)
{
    static char copy[4096];
    char *args[64];
    int n = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && n < 63; word = strtok(NULL, " ")) {
        for (char *c = word; *c; c++)
            *c = *c == '%' ? ' ' : *c;
        args[n++] = word;
    }
    args[n] = NULL;
    capture_begin();
    int code = command(n, args);
    capture_end();
    return code;
}
