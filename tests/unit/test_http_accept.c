/* The Accept header: weights, ranges, quotes, and what is no number. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "http/accept.h"

START_TEST(test_weights)
{
    static const struct {
        const char *accept, *type;
        int weight;
    } rows[] = {
        {NULL, "image/png", 1000},
        {"", "image/png", 1000},
        {" \t", "image/png", 1000},
        {"*/*", "image/png", 1000},
        {"image/*", "image/png", 1000},
        {"image/png", "image/png", 1000},
        {"IMAGE/PNG", "image/png", 1000},
        {"image/png", "image/jpeg", 0},
        {"image/pn", "image/png", 0},
        {"image/pngs", "image/png", 0},
        {"text/*", "image/png", 0},
        {"image/png;q=0.5", "image/png", 500},
        {"image/png ; Q=0.125", "image/png", 125},
        {"image/png;q=0.1259", "image/png", 125},
        {"image/png;q=0", "image/png", 0},
        {"image/png;q=0., */*", "image/png", 0},
        {"image/png;q=1.", "image/png", 1000},
        {"image/png;q=1.000;x=1", "image/png", 1000},
        {"*/*;q=0.9, image/*;q=0.2, image/png;q=0.1", "image/png", 100},
        {"image/png;q=0.1, image/*;q=0.2, */*;q=0.9", "image/jpeg", 200},
        {"image/png;q=0.1, image/*;q=0.2, */*;q=0.9", "application/json", 900},
        {"image/*;q=0.7,image/png;q=0", "image/png", 0},
        {",, image/png ,", "image/png", 1000},
        {"text/plain;x=\",image/png\"", "image/png", 0},
        {"text/plain;x=\"\\\",image/png", "image/png", 0},
        {"image/png;x=\";q=0.1\";q=0.3", "image/png", 300},
        {"image/png;q=much, */*;q=0.4", "image/png", 400},
        {"image/png;q=-1", "image/png", 0},
        {"image/png;q=10", "image/png", 0},
        {"image/png;q=1e9", "image/png", 0},
        {"image/png;q=", "image/png", 0},
        {"*", "image/png", 1000},
        {";q=1", "image/png", 0},
        {"/", "image/png", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(gh_accept_weight(rows[i].accept, rows[i].type) == rows[i].weight, "\"%s\" for %s: %d",
                      rows[i].accept ? rows[i].accept : "NULL", rows[i].type,
                      gh_accept_weight(rows[i].accept, rows[i].type));
}
END_TEST

START_TEST(test_choice)
{
    static const char *const types[] = {"image/jpeg", "image/png"};
    static const struct {
        const char *accept;
        size_t choice;
    } rows[] = {
        {NULL, 0},
        {"*/*", 0},
        {"image/*", 0},
        {"image/png", 1},
        {"image/png, */*", 1}, /* as welcome, but it was named */
        {"image/png, image/jpeg", 0},
        {"image/png;q=0.9, image/jpeg;q=0.8", 1},
        {"image/png;q=0.8, */*;q=0.9", 0},
        {"image/*, image/jpeg;q=0", 1},
        {"text/html", 2},
        {"image/jpeg;q=0, image/png;q=0", 2},
        {"image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(gh_accept_choose(rows[i].accept, types, 2) == rows[i].choice, "\"%s\": %zu",
                      rows[i].accept ? rows[i].accept : "NULL", gh_accept_choose(rows[i].accept, types, 2));
    ck_assert_uint_eq(gh_accept_choose("*/*", types, 0), 0);
}
END_TEST

/* Nothing is read beyond the end (under a sanitizer), and the weight is one, whatever a client sends. */
START_TEST(test_any_text)
{
    static const char letters[] = "image/png*q=0.19,,;; \\\"";
    gh_rng rng;
    gh_rng_seed(&rng, 7);
    for (int round = 0; round < 50000; round++) {
        size_t len = gh_rng_below(&rng, 40);
        char *text = gh_alloc(len + 1);
        for (size_t i = 0; i < len; i++)
            text[i] = letters[gh_rng_below(&rng, sizeof letters - 1)];
        text[len] = 0;
        int weight = gh_accept_weight(text, "image/png");
        ck_assert_msg(weight >= 0 && weight <= 1000, "\"%s\": %d", text, weight);
        gh_free(text);
    }
}
END_TEST

Suite *gh_suite_http_accept(void)
{
    Suite *s = suite_create("http_accept");
    TCase *t = tcase_create("http_accept");
    tcase_add_test(t, test_weights);
    tcase_add_test(t, test_choice);
    tcase_add_test(t, test_any_text);
    suite_add_tcase(s, t);
    return s;
}
