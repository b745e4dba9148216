/* What the end-to-end tests share: the real binary as a child on a free port, its models, pictures. */
#ifndef GH_E2E_HARNESS_H
#define GH_E2E_HARNESS_H

#include "base/buf.h"
#include "e2e/client.h"

#include <check.h>
#include <sys/types.h>

#define REAL "efficientnet-lite0" /* the default model of the folder that models_dir() names */

typedef struct server {
    pid_t pid;
    char address[64];
    int out;           /* read end of its standard output */
    char log[64];      /* file with its standard error */
    char command[256]; /* the curl that it proposed */
} server;

/* The program under test. */
const char *binary(void);
/* A folder with the real model and two that are made here: "tiny" answers at once, "slow" takes
 * fifty milliseconds or more. Made at the first call; a case without a server of its own calls models_make
 * before its tests, so that they share it. Removed when the process ends. */
const char *models_dir(void);
void models_make(void);

/* Starts `gharial serve` on a free port with further arguments (ended by NULL) and waits until it prints that
 * it is ready. */
void server_start(server *s, const char *const *args);
/* The whole command, until it listens; as that user, without groups, in the folder / and with an empty
 * environment, unless that is 0. */
void server_launch(server *s, const char *const *argv, uid_t user);
/* Waits until it is ready. */
void server_ready(server *s);
/* Sends SIGTERM, waits, gives the exit code (-1: it was killed). */
int server_stop(server *s);
/* Waits for the exit, whatever brought it. */
int server_wait(server *s);
/* Everything that the server wrote to standard error; the caller frees. */
void server_log(gh_buf *out, const server *s);
/* Runs the binary to its end; its outputs, zero-ended; gives the exit code. */
int run_binary(gh_buf *out, gh_buf *err, const char *const *args);
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Removes a folder with all that is in it. */
/* "folder/name", in one of eight places that are taken in turn. */
const char *path_in(const char *folder, const char *name);
void remove_folder(const char *folder);
/* Makes a model of the project, by a link, one of `folder`; fails the test when it was not fetched. */
void link_model(const char *name, const char *folder);

/* The bytes of a real photo ("chelsea.png"). Borrowed, kept until the process ends. */
const gh_buf *photo(const char *name);
/* A photo as JPEG, as a camera held that way would store it: EXIF orientation 1 to 8. */
void photo_turned(gh_buf *out, const char *name, int orientation);
/* The photo of the astronaut three times side by side, the third half as large, as a PNG of 1280 x 512. */
void photo_crew(gh_buf *png);
/* Makes the folder and writes eight square pieces of the photo there, as JPEG files: a class to train on. */
void photo_pieces(const char *folder, const char *name);
void add_base64(gh_buf *out, const void *data, size_t len);
/* The bytes of padded base64; anything else fails the test. */
void from_base64(gh_buf *out, const char *text);
/* A multipart part with the boundary "b"; `end_parts` closes the body. */
void add_part(gh_buf *out, const char *name, const void *data, size_t len);
void end_parts(gh_buf *out);
#define FORM "Content-Type: multipart/form-data; boundary=b\r\n"
#define JSON "Content-Type: application/json\r\n"

/* Asserts status and that the body is a problem document whose detail holds `text`. */
void check_problem(const reply *r, int status, const char *text);
/* The first label of a reply; "" when there is none. In a static buffer. */
const char *first_label(const json_t *reply);

/* Makes the folder `to`, the face detector as a model that takes requests, which in models/ it does not. */
void open_detector(const char *to);

#define E2E_SUITE(name) Suite *suite_##name(void);
#include "e2e/suites.inc"
#undef E2E_SUITE
/* Sends soak_requests requests and looks at the server's memory. */
Suite *suite_soak(void);
extern int soak_requests;

#endif
