/* The line that predict prints for a picture. */
#include "cli/cli.h"
#include "cli/predict.h"

#include <stdio.h>
#include <string.h>

/* File names may hold anything; a line stays one line. */
static void print_name(FILE *to, const char *name)
{
    for (const char *c = name; *c; c++)
        fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, to);
}

static void print_labels(const gh_result *r)
{
    size_t n = gh_result_label_count(r);
    printf(":%s", gh_result_unknown(r) ? " unknown;" : "");
    for (size_t i = 0; i < n; i++)
        printf("%s %s %.3f", i ? "," : "", gh_result_label(r, i), gh_result_score(r, i));
    puts(n ? "" : " no label reaches the threshold");
}

/* Label, score, top left corner and size of each. */
static void print_boxes(const gh_result *r)
{
    gh_box_result b = {.size = sizeof b};
    gh_fact_result f = {.size = sizeof f};
    size_t i = 0;
    putchar(':');
    for (; gh_result_box(&b, r, i) == GH_OK; i++) {
        printf("%s %s %.3f at %d,%d %dx%d", i ? "," : "", b.label, b.score, b.x, b.y, b.w, b.h);
        for (size_t k = 0; gh_result_fact(&f, r, i, k) == GH_OK; k++)
            printf(" %s %s %.3f", f.key, f.label ? f.label : "unknown", f.score);
    }
    puts(i ? "" : " nothing reaches the threshold");
}

/* What share of the picture each class covers, in how many parts. */
static void print_areas(const gh_result *r, int limit)
{
    gh_area_result a = {.size = sizeof a};
    double pixels = (double)gh_result_width(r) * gh_result_height(r);
    size_t i = 0, most = limit ? (size_t)limit : 100; /* parts that are listed */
    putchar(':');
    for (; gh_result_area(&a, r, i) == GH_OK; i++)
        printf("%s %s %.1f %% in %s%zu part%s", i ? "," : "", a.label, 100 * (double)a.pixels / pixels,
               a.region_count == most ? "at least " : "", a.region_count, a.region_count == 1 ? "" : "s");
    puts(i ? "" : " only background");
}

static void print_text(const gh_predicted *p, const char *task, int limit)
{
    print_name(stdout, p->file);
    if (strcmp(task, "localize") == 0)
        print_boxes(p->result);
    else if (strcmp(task, "embed") == 0)
        puts(": a vector of features; --json shows it");
    else if (strcmp(task, "segment") == 0)
        print_areas(p->result, limit);
    else
        print_labels(p->result);
    if (gh_result_truncated(p->result)) {
        print_name(stderr, p->file);
        fputs(": warning: the file ends early; the last part of the picture is missing\n", stderr);
    }
}

void gh_predict_print(const gh_predicted *p, const char *task, bool json, int limit)
{
    if (p->status == GH_OK && json) {
        puts(p->json);
    } else if (p->status == GH_OK) {
        print_text(p, task, limit);
    } else if (json) {
        gh_cli_json_error(p->file, &p->err);
    } else {
        print_name(stderr, p->file);
        fprintf(stderr, ": %s\n", p->err.text);
    }
    fflush(stdout);
}
