/* Memory over many requests: `e2e soak N` (10000) sends N mixed requests over a few connections and compares
 * the server's resident memory at N / 10 with that at N. Bounded, on loopback. */
#include "e2e/harness.h"

#include "base/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 4, ALLOWED_KB = 2048 };

/* Kilobytes resident. */
static long resident_kb(pid_t pid)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld kB", &kb) == 1)
            break;
    if (file)
        fclose(file);
    return kb;
}

/* Seven kinds of requests in turn; the bytes of one with its headers. */
static void write_request(gh_buf *out, int kind)
{
    const gh_buf *cat = photo("chelsea.png"), *coffee = photo("coffee.png"), *person = photo("astronaut.png");
    gh_buf body = {0};
    const char *headers = "", *target = "/classify";
    switch (kind) {
    case 0:
        gh_buf_add(&body, cat->data, cat->len);
        break;
    case 1:
        add_part(&body, "image", coffee->data, coffee->len);
        add_part(&body, "top", "3", 1);
        end_parts(&body);
        headers = FORM;
        break;
    case 2:
        gh_buf_str(&body, "{\"image\":\"");
        add_base64(&body, cat->data, cat->len);
        gh_buf_str(&body, "\"}");
        headers = JSON;
        break;
    case 3:
        photo_turned(&body, "coffee.png", 6);
        break;
    case 4:
        gh_buf_add(&body, person->data, person->len);
        break;
    case 5:
        gh_buf_add(&body, coffee->data, coffee->len / 2);
        break;
    default:
        gh_buf_str(&body, "no picture");
        target = "/classify?top=x";
    }
    gh_buf_printf(out, "POST %s HTTP/1.1\r\nHost: t\r\n%sContent-Length: %zu\r\n\r\n", target, headers,
                  body.len);
    gh_buf_add(out, body.data, body.len);
    gh_buf_free(&body);
}

int soak_requests;

START_TEST(test_memory_stays_flat)
{
    enum { KINDS = 7 };
    const int requests = soak_requests;
    gh_buf texts[KINDS] = {{0}};
    server s;
    reply r = {0};
    int fds[LINES], codes[600] = {0};
    uint64_t start = gh_now_ns();
    long early = 0;
    server_start(&s, ARGS("--log-level", "warn"));
    printf("ready %.0f ms after start\n", (double)(gh_now_ns() - start) / 1e6);
    for (int k = 0; k < KINDS; k++)
        write_request(&texts[k], k);
    for (int i = 0; i < LINES; i++)
        fds[i] = connect_to(s.address);
    start = gh_now_ns();
    for (int i = 0; i < requests; i += LINES) {
        for (int k = 0; k < LINES; k++)
            send_bytes(fds[k], texts[(i + k) % KINDS].data, texts[(i + k) % KINDS].len);
        for (int k = 0; k < LINES; k++) {
            read_reply(&r, fds[k], false, NULL);
            codes[r.status < 600 ? r.status : 0]++;
        }
        if (i / LINES == requests / 10 / LINES) {
            early = resident_kb(s.pid);
            printf("after %d requests: %ld kB\n", i + LINES, early);
        }
    }
    double seconds = (double)(gh_now_ns() - start) / 1e9;
    long late = resident_kb(s.pid);
    printf("after %d requests: %ld kB; %.0f requests a second\n", requests, late, requests / seconds);
    for (int i = 0; i < 600; i++)
        if (codes[i])
            printf("status %d: %d\n", i, codes[i]);
    for (int i = 0; i < LINES; i++)
        close(fds[i]);
    for (int k = 0; k < KINDS; k++)
        gh_buf_free(&texts[k]);
    reply_free(&r);
    ck_assert_int_eq(server_stop(&s), 0);
    printf("growth %ld kB\n", late - early);
    ck_assert_int_le(late - early, ALLOWED_KB);
}
END_TEST

Suite *suite_soak(void)
{
    Suite *suite = suite_create("soak");
    TCase *t = tcase_create("soak");
    tcase_set_timeout(t, 3600);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_test(t, test_memory_stays_flat);
    suite_add_tcase(suite, t);
    return suite;
}
