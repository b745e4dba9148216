/* libgharial in forty lines: example MODEL PICTURE prints the three best labels.
 * cc classify.c -lgharial -ljansson -ljpeg -lspng -lwebp -lopenblas -lm -lpthread */
#include <gharial.h>

#include <stdio.h>
#include <stdlib.h>

static unsigned char bytes[16 << 20];

static int fail(const gh_err *e)
{
    fprintf(stderr, "%s\n", e->text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    gh_err e = {0};
    gh_predictor *predictor = NULL;
    gh_result *result = NULL;
    gh_predict_options options;
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: example MODEL PICTURE\n");
        return EXIT_FAILURE;
    }
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    gh_predict_options_init(&options);
    options.top = 3;
    if (gh_predictor_open(&predictor, argv[1], NULL, &e) != GH_OK)
        return fail(&e);
    if (gh_predictor_run(&result, predictor, bytes, len, &options, &e) != GH_OK) {
        gh_predictor_close(&predictor);
        return fail(&e);
    }
    printf("%d x %d pixels\n", gh_result_width(result), gh_result_height(result));
    for (size_t i = 0; i < gh_result_label_count(result); i++)
        printf("%.3f %s\n", gh_result_score(result, i), gh_result_label(result, i));
    gh_result_free(&result);
    gh_predictor_close(&predictor);
    return EXIT_SUCCESS;
}
