/* A training run of a classifier on tiny pictures. */
#include "unit/fit_case.h"

#include "base/file.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>

ft_case ft;

/* Warm, cold and grey pictures, none equal to another. */
static void make_data(void)
{
    char name[64];
    for (int i = 0; i < FT_A_CLASS; i++) {
        snprintf(name, sizeof name, "d/warm/%d.png", i);
        tiny_picture(name, 12, 12, 200 + i, 60 + 3 * i, 20);
        snprintf(name, sizeof name, "d/cold/%d.png", i);
        tiny_picture(name, 12, 12, 20, 60 + 3 * i, 200 + i);
        snprintf(name, sizeof name, "d/grey/%d.png", i);
        tiny_picture(name, 12, 12, 90 + 5 * i, 90 + 5 * i, 91 + 5 * i);
    }
}

void ft_setup(void)
{
    tiny_setup();
    ft.e = (gh_err){0};
    tiny_model("body", "");
    make_data();
    snprintf(ft.body, sizeof ft.body, "%s", tiny_path("body"));
    snprintf(ft.data, sizeof ft.data, "%s", tiny_path("d"));
    snprintf(ft.out, sizeof ft.out, "%s", tiny_path("models/mine"));
    snprintf(ft.cache, sizeof ft.cache, "%s", tiny_path("cache"));
    ft.o = (gh_train_options){.data = ft.data,
                              .body = ft.body,
                              .out = ft.out,
                              .head = "softmax",
                              .folds = 4,
                              .seed = 1,
                              .quiet = true};
}

void ft_teardown(void)
{
    gh_pool_free(&ft.pool);
    tiny_remove();
}

gh_status ft_train(void)
{
    ft.s = (gh_train_summary){0};
    ft.e = (gh_err){0};
    return gh_train_classify(&ft.s, &ft.o, &ft.e);
}

void ft_must_train(void)
{
    ck_assert_msg(ft_train() == GH_OK, "%s", ft.e.text);
}

gh_result *ft_ask(const char *folder, int red, int green, int blue)
{
    gh_model *m = NULL;
    gh_worker *w = NULL;
    gh_result *r = NULL;
    gh_buf png = {0};
    tiny_png(&png, 20, 20, red, green, blue);
    ck_assert_msg(gh_model_open(&m, folder, true, &ft.e) == GH_OK, "%s", ft.e.text);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &ft.e), GH_OK);
    ck_assert_msg(gh_run(&r, w, m, png.data, png.len, NULL, NULL, &ft.e) == GH_OK, "%s", ft.e.text);
    gh_worker_free(&w);
    gh_model_put(&m);
    gh_buf_free(&png);
    return r;
}

void ft_check_answer(const char *folder, int red, int green, int blue, const char *label)
{
    gh_result *r = ft_ask(folder, red, green, blue);
    ck_assert_str_eq(r->labels[0].label, label);
    gh_result_free(&r);
}

void ft_read_model(gh_buf *to, const char *folder, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_msg(gh_file_read(to, path, 1 << 24, &ft.e) == GH_OK, "%s", ft.e.text);
}

void ft_must_refuse(gh_status status, const char *says)
{
    gh_status got = ft_train();
    ck_assert_msg(got == status && strstr(ft.e.text, says), "%d: %s", got, ft.e.text);
}
