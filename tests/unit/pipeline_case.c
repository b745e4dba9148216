/* The pipeline of the tests, and pictures for it. */
#include "unit/pipeline_case.h"

#include "unit/red.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <stdlib.h>

pc_case pc;

void pc_write(const char *steps)
{
    char text[2000];
    snprintf(text, sizeof text,
             "{\"name\": \"both\", \"version\": \"2\", \"task\": \"localize\", \"pipeline\": {\"detector\": "
             "\"red\", \"steps\": [%s]}}",
             steps);
    tiny_text("both/model.json", text);
}

void pc_setup(void)
{
    pc.e = (gh_err){0};
    tiny_setup();
    red_model();
    tiny_model("colour", "");
    pc_write(PC_COLOUR);
    pc.pixels = calloc(PC_SIDE * PC_SIDE, 3);
    ck_assert_ptr_nonnull(pc.pixels);
    ck_assert_int_eq(gh_pool_new(&pc.pool, 3, &pc.e), GH_OK);
    ck_assert_int_eq(gh_worker_new(&pc.w, pc.pool, &pc.e), GH_OK);
}

void pc_teardown(void)
{
    gh_result_free(&pc.r);
    gh_worker_free(&pc.w);
    gh_pool_free(&pc.pool);
    gh_model_put(&pc.m);
    gh_registry_free(&pc.all);
    gh_buf_free(&pc.picture);
    free(pc.pixels);
    tiny_remove();
}

void pc_put(int column, int row, int red, int green, int blue)
{
    for (int y = 0; y < RED_CELL; y++)
        for (int x = 0; x < RED_CELL; x++) {
            uint8_t *p = pc.pixels + ((row * RED_CELL + y) * PC_SIDE + column * RED_CELL + x) * 3;
            p[0] = (uint8_t)red;
            p[1] = (uint8_t)green;
            p[2] = (uint8_t)blue;
        }
}

gh_status pc_open(void)
{
    const char *dir = tiny_path("");
    gh_registry_free(&pc.all);
    gh_model_put(&pc.m);
    GH_TRY(gh_registry_open(&pc.all, &dir, 1, &pc.e));
    return gh_registry_find(&pc.m, pc.all, "both", &pc.e);
}

gh_status pc_reload(void)
{
    const char *dir = tiny_path("");
    gh_model_put(&pc.m);
    GH_TRY(gh_registry_reload(pc.all, &dir, 1, &pc.e));
    return gh_registry_find(&pc.m, pc.all, "both", &pc.e);
}

void pc_run(const gh_run_options *options)
{
    pc.picture.len = 0;
    ck_assert_int_eq(gh_png_encode_rgb(&pc.picture, pc.pixels, PC_SIDE, PC_SIDE, &pc.e), GH_OK);
    gh_result_free(&pc.r);
    ck_assert_msg(gh_run(&pc.r, pc.w, pc.m, pc.picture.data, pc.picture.len, NULL, options, &pc.e) == GH_OK,
                  "%s", pc.e.text);
}
