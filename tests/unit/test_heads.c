/* Heads: what they learn, that threads change nothing, and that the exported network gives the same scores.
 */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "train/heads/head.h"
#include "unit/rows.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

START_TEST(test_the_table_names_its_heads)
{
    static const char *const names[] = {"softmax", "mlp", "forest", "knn"};
    size_t count = 0;
    while (gh_head_types[count])
        count++;
    ck_assert_uint_eq(count, 4);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(gh_head_types[i]->name, names[i]);
        ck_assert_ptr_eq(gh_head_type_find(names[i]), gh_head_types[i]);
        ck_assert(strlen(gh_head_types[i]->about) > 20);
    }
    ck_assert_ptr_null(gh_head_type_find("svm"));
    ck_assert_ptr_null(gh_head_type_find(""));
}
END_TEST

/* ---- learning ---- */

START_TEST(test_separable_rows_are_learnt)
{
    blobs train = blobs_new(240, 12, 4, 3, 1), unseen = blobs_new(200, 12, 4, 3, 2);
    fitted f = fit_nth(_i, &train.rows, NULL);
    float *scores = predict(f.type, f.head, unseen.x, unseen.rows.n, NULL);
    ck_assert_double_ge(accuracy_of(&unseen.rows, scores), 0.99);
    for (size_t i = 0; i < unseen.rows.n && !f.type->logits; i++) {
        double sum = 0;
        for (uint32_t c = 0; c < 4; c++)
            sum += scores[i * 4 + c];
        ck_assert_double_eq_tol(sum, 1, 1e-4);
    }
    free(scores);
    f.type->free(f.head);
    blobs_free(&train);
    blobs_free(&unseen);
}
END_TEST

/* Labels without any relation to the features: everything stays finite, and nothing pretends to know. */
START_TEST(test_noise_is_not_learnt)
{
    blobs train = blobs_new(300, 6, 3, 0, 3), unseen = blobs_new(300, 6, 3, 0, 4);
    fitted f = fit_nth(_i, &train.rows, NULL);
    float *scores = predict(f.type, f.head, unseen.x, unseen.rows.n, NULL);
    for (size_t i = 0; i < unseen.rows.n * 3; i++)
        ck_assert(isfinite(scores[i]));
    ck_assert_double_le(accuracy_of(&unseen.rows, scores), 0.45);
    const float *held = gh_head_held_out(f.head);
    if (held)
        ck_assert_double_le(accuracy_of(&train.rows, held), 0.45);
    free(scores);
    f.type->free(f.head);
    blobs_free(&train);
    blobs_free(&unseen);
}
END_TEST

/* Held-out scores are as good as those of unseen rows, and worse than those of the training rows. */
START_TEST(test_held_out_scores_are_honest)
{
    blobs train = blobs_new(400, 10, 4, 0.5f, 5), unseen = blobs_new(2000, 10, 4, 0.5f, 6);
    const gh_head_type *t = gh_head_type_find(_i ? "forest" : "softmax");
    gh_fit_options o = quick(NULL);
    o.trees = 100;
    gh_head *h = fit(t, &train.rows, &o);
    float *scores = predict(t, h, unseen.x, unseen.rows.n, NULL);
    ck_assert_ptr_nonnull(gh_head_held_out(h));
    double held = accuracy_of(&train.rows, gh_head_held_out(h)), truth = accuracy_of(&unseen.rows, scores);
    ck_assert_double_eq_tol(held, truth, 0.06); /* two and a half standard errors of 400 rows */
    ck_assert_double_le(truth, 0.95);
    free(scores);
    t->free(h);
    blobs_free(&train);
    blobs_free(&unseen);
}
END_TEST

/* Two classes in four corners: no line parts them, a hidden layer and trees do. */
START_TEST(test_corners_need_more_than_a_line)
{
    float x[800];
    uint32_t label[400];
    gh_rng rng;
    gh_rng_seed(&rng, 8);
    for (int i = 0; i < 400; i++) {
        int a = i & 1, b = i >> 1 & 1;
        x[2 * i] = (float)(4 * a - 2) + 0.5f * gh_rng_normal(&rng);
        x[2 * i + 1] = (float)(4 * b - 2) + 0.5f * gh_rng_normal(&rng);
        label[i] = (uint32_t)(a ^ b);
    }
    gh_rows rows = {.x = x, .n = 400, .width = 2, .classes = 2, .label = label};
    for (int i = 0; i < 3; i++) {
        fitted f = fit_nth(i, &rows, NULL);
        float *scores = predict(f.type, f.head, x, 400, NULL);
        double accuracy = accuracy_of(&rows, scores);
        if (i == 0)
            ck_assert_double_le(accuracy, 0.8);
        else
            ck_assert_double_ge(accuracy, 0.98);
        free(scores);
        f.type->free(f.head);
    }
}
END_TEST

/* Votes that are all one class mean what labels mean. */
START_TEST(test_whole_votes_are_labels)
{
    blobs b = blobs_new(150, 5, 3, 1, 9);
    float *votes = calloc(150 * 3, sizeof *votes);
    for (size_t i = 0; i < 150; i++)
        votes[i * 3 + b.label[i]] = 1;
    gh_rows soft = b.rows;
    soft.votes = votes;
    soft.label = NULL;
    fitted hard = fit_nth(_i, &b.rows, NULL), other = fit_nth(_i, &soft, NULL);
    float *p = predict(hard.type, hard.head, b.x, 150, NULL);
    float *q = predict(other.type, other.head, b.x, 150, NULL);
    for (size_t i = 0; i < 450; i++) /* a forest draws its classes, so that its trees differ */
        ck_assert_float_eq_tol(p[i], q[i], strcmp(hard.type->name, "forest") ? 1e-4 : 0.5);
    free(p);
    free(q);
    free(votes);
    hard.type->free(hard.head);
    other.type->free(other.head);
    blobs_free(&b);
}
END_TEST

/* Rows that all look alike, with votes of 0.7 and 0.3: the answer is those shares. */
START_TEST(test_shares_are_learnt)
{
    float x[400] = {0}, votes[800];
    for (int i = 0; i < 400; i++) {
        x[i] = (float)(i % 2);
        votes[2 * i] = i % 2 ? 0.7f : 0.2f;
        votes[2 * i + 1] = 1 - votes[2 * i];
    }
    gh_rows rows = {.x = x, .n = 400, .width = 1, .classes = 2, .votes = votes};
    for (int i = 0; i < 3; i++) {
        gh_fit_options o = quick(NULL);
        o.l2 = 1e-4f;
        o.epochs = 200;
        const gh_head_type *t = gh_head_types[i];
        gh_head *h = fit(t, &rows, &o);
        float *s = predict(t, h, (float[]){0, 1}, 2, NULL);
        for (int k = 0; k < 2; k++) {
            double p = t->logits ? 1 / (1 + exp((double)s[2 * k + 1] - s[2 * k])) : s[2 * k];
            ck_assert_double_eq_tol(p, k ? 0.7 : 0.2, 0.05);
        }
        free(s);
        t->free(h);
    }
}
END_TEST

/* A row of weight 3 counts like three rows of weight 1; one of weight 0 like none. */
START_TEST(test_weights_count_like_copies)
{
    blobs b = blobs_new(60, 4, 3, 0.7f, 11);
    float x[4 * 180], weight[60];
    uint32_t label[180], fold[60], folds[180];
    size_t n = 0;
    for (size_t i = 0; i < 60; i++) {
        weight[i] = (float)(i % 4 == 0 ? 0 : i % 4);
        fold[i] = (uint32_t)(i / 3 % 5);
        for (float w = 0; w < weight[i]; w++) {
            memcpy(x + 4 * n, b.x + 4 * i, 4 * sizeof *x);
            folds[n] = fold[i];
            label[n++] = b.label[i];
        }
    }
    gh_rows weighted = b.rows, copied = {.x = x, .n = n, .width = 4, .classes = 3, .label = label};
    weighted.weight = weight;
    weighted.fold = fold;
    copied.fold = folds;
    gh_fit_options o = quick(NULL);
    const gh_head_type *t = gh_head_type_find(_i ? "knn" : "softmax");
    gh_head *h = fit(t, &weighted, &o), *k = fit(t, &copied, &o);
    float *p = predict(t, h, b.x, 60, NULL), *q = predict(t, k, b.x, 60, NULL);
    for (size_t i = 0; i < 180; i++)
        ck_assert_float_eq_tol(p[i], q[i], 2e-2);
    free(p);
    free(q);
    t->free(h);
    t->free(k);
    blobs_free(&b);
}
END_TEST

/* ---- threads ---- */

START_TEST(test_threads_change_nothing)
{
    blobs b = blobs_new(700, 40, 5, 0.6f, 21);
    unsigned char *first = NULL;
    char *first_text = NULL;
    float *first_scores = NULL, *first_held = NULL;
    size_t first_len = 0;
    for (int threads = 1; threads <= 3; threads++) {
        gh_pool *pool = NULL;
        size_t len;
        ck_assert_int_eq(gh_pool_new(&pool, threads, NULL), GH_OK);
        fitted f = fit_nth(_i, &b.rows, pool);
        unsigned char *bytes = export_bytes(&len, export_fitted, &f, 40, 5);
        char *text = f.type->describe(f.head);
        float *scores = predict(f.type, f.head, b.x, 700, pool);
        const float *held = gh_head_held_out(f.head);
        if (threads == 1) {
            first = bytes;
            first_len = len;
            first_text = text;
            first_scores = scores;
            first_held = held ? malloc(3500 * sizeof *held) : NULL;
            if (held)
                memcpy(first_held, held, 3500 * sizeof *held);
        } else {
            ck_assert_uint_eq(len, first_len);
            ck_assert_mem_eq(bytes, first, len);
            ck_assert_str_eq(text, first_text);
            ck_assert_mem_eq(scores, first_scores, 3500 * sizeof *scores);
            if (held)
                ck_assert_mem_eq(held, first_held, 3500 * sizeof *held);
            free(bytes);
            free(scores);
            gh_free(text);
        }
        f.type->free(f.head);
        gh_pool_free(&pool);
    }
    free(first);
    free(first_scores);
    free(first_held);
    gh_free(first_text);
    blobs_free(&b);
}
END_TEST

START_TEST(test_another_seed_is_another_forest)
{
    blobs b = blobs_new(100, 8, 3, 0.5f, 2);
    const gh_head_type *t = gh_head_type_find("forest");
    gh_fit_options o = quick(NULL), p = o;
    p.seed = 6;
    gh_head *h = fit(t, &b.rows, &o), *k = fit(t, &b.rows, &p);
    float *s = predict(t, h, b.x, 100, NULL), *r = predict(t, k, b.x, 100, NULL);
    ck_assert(memcmp(s, r, 300 * sizeof *s) != 0);
    free(s);
    free(r);
    t->free(h);
    t->free(k);
    blobs_free(&b);
}
END_TEST

/* ---- export ---- */

START_TEST(test_the_exported_network_gives_the_same)
{
    static const struct {
        uint32_t classes;
        float temperature;
        int64_t opset;
    } cases[] = {{2, 1, 0}, {4, 1, 0}, {4, 2.5f, 0}, {3, 1, 18}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        uint32_t c = cases[k].classes;
        blobs b = blobs_new(90, 7, c, 0.8f, 31);
        fitted f = fit_nth(_i, &b.rows, NULL);
        float *s = predict(f.type, f.head, b.x, 90, NULL);
        float *net = run_export(export_fitted, &f, b.x, 90, 7, c, cases[k].temperature, cases[k].opset);
        for (size_t i = 0; i < 90 * c; i++) {
            double want = f.type->logits ? s[i] / cases[k].temperature : s[i];
            ck_assert_double_eq_tol(net[i], want, 1e-5 * fmax(1, fabs(want)));
        }
        free(s);
        free(net);
        f.type->free(f.head);
        blobs_free(&b);
    }
}
END_TEST

/* The thresholds of a forest are floats that the network compares with the same floats: on the very rows it
 * was grown on, and next to each threshold, both take the same way. */
START_TEST(test_a_forest_is_exported_exactly)
{
    blobs b = blobs_new(300, 3, 3, 0.6f, 41);
    for (size_t i = 0; i < 900; i++)
        b.x[i] = roundf(b.x[i] * 4) / 4; /* many equal values */
    fitted f = {gh_head_type_find("forest"), NULL};
    gh_fit_options o = quick(NULL);
    f.head = fit(f.type, &b.rows, &o);
    float *x = malloc(900 * sizeof *x);
    for (size_t i = 0; i < 900; i++)
        x[i] = i % 3 == 0 ? b.x[i] : nextafterf(b.x[i] + 0.125f, i % 3 == 1 ? -9.0f : 9.0f);
    float *s = predict(f.type, f.head, x, 300, NULL);
    float *net = run_export(export_fitted, &f, x, 300, 3, 3, 1, 0);
    for (size_t i = 0; i < 900; i++)
        ck_assert_float_eq_tol(net[i], s[i], 1e-6);
    free(x);
    free(s);
    free(net);
    f.type->free(f.head);
    blobs_free(&b);
}
END_TEST

/* ---- descriptions ---- */

START_TEST(test_descriptions_are_json)
{
    static const char *const keys[HEADS][3] = {{"l2", "tried", "folds"},
                                               {"hidden", "epochs", "held_out"},
                                               {"trees", "out_of_bag", "importances"},
                                               {"neighbours", "rows", "scale"},
                                               {"neighbours", "rows", "scale"}};
    blobs b = blobs_new(90, 7, 3, 1, 51);
    fitted f = fit_nth(_i, &b.rows, NULL);
    char *text = f.type->describe(f.head);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    for (int k = 0; k < 3; k++)
        ck_assert_ptr_nonnull(json_object_get(json, keys[_i][k]));
    json_decref(json);
    gh_free(text);
    f.type->free(f.head);
    blobs_free(&b);
}
END_TEST

/* Only feature 3 tells the classes apart: the forest must name it first, with most of the whole. */
START_TEST(test_importances_find_the_feature)
{
    blobs b = blobs_new(300, 9, 2, 0, 61);
    for (size_t i = 0; i < 300; i++)
        b.x[9 * i + 3] += b.label[i] ? 4 : -4;
    fitted f = fit_nth(2, &b.rows, NULL);
    char *text = f.type->describe(f.head);
    json_t *json = json_loads(text, 0, NULL),
           *first = json_array_get(json_object_get(json, "importances"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "feature")), 3);
    ck_assert_double_gt(json_real_value(json_object_get(first, "share")), 0.4);
    json_decref(json);
    gh_free(text);
    f.type->free(f.head);
    blobs_free(&b);
}
END_TEST

/* A named head is asked before any feature is made whether it can hold that many classes. */
START_TEST(test_a_head_tells_beforehand_that_it_cannot_hold_so_many_classes)
{
    const gh_fit_options o = {0}, neighbours = {.neighbours = 5};
    const gh_rows rows = {.n = 40000, .width = 1280, .classes = 20000};
    const gh_head_type *softmax = gh_head_type_find("softmax"), *knn = gh_head_type_find("knn");
    gh_err e = {0};
    ck_assert_int_eq(softmax->check(&rows, &o, &e), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "20000 classes on 1280 features"));
    ck_assert_int_eq(knn->check(&rows, &neighbours, &e), GH_LIMIT);
    ck_assert_int_eq(knn->check(&rows, &o, &e), GH_OK);
    ck_assert_int_eq(gh_head_type_find("mlp")->check(&rows, &o, &e), GH_OK);
}
END_TEST

Suite *gh_suite_heads(void)
{
    Suite *s = suite_create("heads");
    TCase *t = tcase_create("heads");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_the_table_names_its_heads);
    tcase_add_loop_test(t, test_separable_rows_are_learnt, 0, HEADS);
    tcase_add_loop_test(t, test_noise_is_not_learnt, 0, HEADS);
    tcase_add_loop_test(t, test_held_out_scores_are_honest, 0, 2);
    tcase_add_test(t, test_corners_need_more_than_a_line);
    tcase_add_loop_test(t, test_whole_votes_are_labels, 0, HEADS);
    tcase_add_test(t, test_shares_are_learnt);
    tcase_add_loop_test(t, test_weights_count_like_copies, 0, 2);
    tcase_add_loop_test(t, test_threads_change_nothing, 0, HEADS);
    tcase_add_test(t, test_another_seed_is_another_forest);
    tcase_add_loop_test(t, test_the_exported_network_gives_the_same, 0, HEADS);
    tcase_add_test(t, test_a_forest_is_exported_exactly);
    tcase_add_loop_test(t, test_descriptions_are_json, 0, HEADS);
    tcase_add_test(t, test_importances_find_the_feature);
    tcase_add_test(t, test_a_head_tells_beforehand_that_it_cannot_hold_so_many_classes);
    suite_add_tcase(s, t);
    return s;
}
