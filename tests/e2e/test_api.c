/* Real replies against the OpenAPI document that the same server serves: statuses, headers, content types and
 * keys, down to every object. */
#include "e2e/harness.h"

#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static server s;
static reply r;
static json_t *doc;

static void up(void)
{
    server_start(&s, NULL);
    ask(&r, s.address, "GET", "/openapi.json", NULL, NULL, 0);
    ck_assert_int_eq(r.status, 200);
    doc = reply_json(&r);
}

static void down(void)
{
    json_decref(doc);
    ck_assert_int_eq(server_stop(&s), 0);
}

static void done(void)
{
    reply_free(&r);
}

/* Follows "$ref": "#/a/b/c". */
static json_t *resolve(json_t *o)
{
    const char *ref;
    while ((ref = json_string_value(json_object_get(o, "$ref"))) != NULL) {
        char path[256];
        ck_assert_msg(strncmp(ref, "#/", 2) == 0, "%s", ref);
        snprintf(path, sizeof path, "%s", ref + 2);
        o = doc;
        for (char *at = strtok(path, "/"); at; at = strtok(NULL, "/"))
            ck_assert_msg((o = json_object_get(o, at)) != NULL, "%s leads nowhere", ref);
    }
    return o;
}

static bool type_fits(const json_t *schema, const json_t *v)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    if (!type)
        return true;
    return (strcmp(type, "object") == 0 && json_is_object(v)) ||
           (strcmp(type, "array") == 0 && json_is_array(v)) ||
           (strcmp(type, "string") == 0 && json_is_string(v)) ||
           (strcmp(type, "number") == 0 && json_is_number(v)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(v)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(v));
}

static bool in_range(const json_t *schema, const json_t *v)
{
    const json_t *min = json_object_get(schema, "minimum"), *max = json_object_get(schema, "maximum");
    return (!min || json_number_value(v) >= json_number_value(min)) &&
           (!max || json_number_value(v) <= json_number_value(max));
}

/* True when the value fits the schema and brings no key that the schema does not name; says where not. */
static bool fits(json_t *schema, json_t *v, char *where, size_t size);

static bool object_fits(json_t *schema, json_t *v, char *where, size_t size)
{
    json_t *properties = json_object_get(schema, "properties"), *one;
    const char *key;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, one)
    {
        if (!json_object_get(v, json_string_value(one))) {
            snprintf(where, size, "%s is missing", json_string_value(one));
            return false;
        }
    }
    json_object_foreach(v, key, one)
    {
        json_t *declared = json_object_get(properties, key);
        if (properties && !declared) {
            snprintf(where, size, "%s is not declared", key);
            return false;
        }
        if (declared && !fits(declared, one, where, size))
            return false;
    }
    return true;
}

static bool fits_one_of(json_t *list, json_t *v, char *where, size_t size)
{
    size_t i;
    json_t *choice;
    json_array_foreach(list, i, choice)
    {
        if (fits(choice, v, where, size))
            return true;
    }
    return false;
}

static bool fits(json_t *schema, json_t *v, char *where, size_t size)
{
    schema = resolve(schema);
    json_t *choices = json_object_get(schema, "oneOf"), *values = json_object_get(schema, "enum"), *one;
    choices = choices ? choices : json_object_get(schema, "anyOf");
    size_t i;
    if (choices)
        return fits_one_of(choices, v, where, size);
    if (!type_fits(schema, v) || !in_range(schema, v)) {
        char *text = json_dumps(v, JSON_ENCODE_ANY);
        snprintf(where, size, "%.100s has the wrong type or range", text);
        free(text);
        return false;
    }
    bool found = !values;
    json_array_foreach(values, i, one)
    {
        found = found || json_equal(one, v);
    }
    if (!found)
        snprintf(where, size, "%.100s is not among the values", json_string_value(v));
    if (json_is_object(v))
        return found && object_fits(schema, v, where, size);
    json_array_foreach(v, i, one)
    {
        if (!fits(json_object_get(schema, "items"), one, where, size))
            return false;
    }
    return found;
}

/* Checks the reply in `r` against what is documented for that path and method. */
static void check(const char *path, const char *method)
{
    char code[8], where[256] = "";
    const char *name;
    json_t *op = json_object_get(json_object_get(json_object_get(doc, "paths"), path), method), *header;
    ck_assert_msg(op != NULL, "%s %s is not documented", method, path);
    snprintf(code, sizeof code, "%d", r.status);
    json_t *response = json_object_get(json_object_get(op, "responses"), code);
    ck_assert_msg(response != NULL, "%s %s: status %s is not documented", method, path, code);
    response = resolve(response);
    json_object_foreach(json_object_get(response, "headers"), name, header)
    {
        ck_assert_msg(reply_header(&r, name)[0], "%s %s: %s has no %s", method, path, code, name);
    }
    char type[128];
    snprintf(type, sizeof type, "%.*s", (int)strcspn(reply_header(&r, "Content-Type"), ";"),
             reply_header(&r, "Content-Type"));
    json_t *content = json_object_get(json_object_get(response, "content"), type);
    ck_assert_msg(content != NULL, "%s %s: %s is not documented for %s", method, path, type, code);
    if (!strstr(type, "json"))
        return;
    json_t *body = reply_json(&r);
    ck_assert_msg(fits(json_object_get(content, "schema"), body, where, sizeof where), "%s %s: %s", method,
                  path, where);
    json_decref(body);
}

START_TEST(test_simple_replies_are_as_documented)
{
    static const struct {
        const char *target, *path;
        int status;
    } rows[] = {
        {"/healthz", "/healthz", 200},
        {"/readyz", "/readyz", 200},
        {"/version", "/version", 200},
        {"/openapi.json", "/openapi.json", 200},
        {"/metrics", "/metrics", 200},
        {"/models", "/models", 200},
        {"/models/" REAL, "/models/{name}", 200},
        {"/models/tiny", "/models/{name}", 200},
        {"/models/nobody", "/models/{name}", 404},
        {"/", "/", 200},
        {"/web/app.js", "/web/{name}", 200},
        {"/web/none.js", "/web/{name}", 404},
        {"/v2", "/v2", 200},
        {"/v2/health/live", "/v2/health/live", 200},
        {"/v2/health/ready", "/v2/health/ready", 200},
        {"/v2/models/" REAL, "/v2/models/{name}", 200},
        {"/v2/models/nobody", "/v2/models/{name}", 404},
        {"/v2/models/tiny/ready", "/v2/models/{name}/ready", 200},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        ask(&r, s.address, "GET", rows[i].target, NULL, NULL, 0);
        ck_assert_int_eq(r.status, rows[i].status);
        check(rows[i].path, "get");
    }
}
END_TEST

START_TEST(test_classify_replies_are_as_documented)
{
    const gh_buf *picture = photo("coffee.png");
    static const struct {
        const char *target;
        size_t len; /* of the picture that is sent; 0 = all */
        int status;
    } rows[] = {
        {"/classify", 0, 200},
        {"/classify?model=tiny,tiny", 0, 200},
        {"/classify?top=x", 0, 400},
        {"/classify", 3, 415},
        {"/classify", 40, 422},
        {"/classify?model=nobody", 0, 404},
        {"/classify?timeout_ms=1&model=slow", 0, 504},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        ask(&r, s.address, "POST", rows[i].target, NULL, picture->data,
            rows[i].len ? rows[i].len : picture->len);
        ck_assert_msg(r.status == rows[i].status, "row %zu: %d %s", i, r.status, (char *)r.body.data);
        check("/classify", "post");
    }
    gh_buf batch = {0};
    add_part(&batch, "image", picture->data, picture->len);
    add_part(&batch, "image", "x", 1);
    end_parts(&batch);
    ask(&r, s.address, "POST", "/classify", FORM, batch.data, batch.len);
    check("/classify", "post");
    gh_buf_free(&batch);
    ask(&r, s.address, "POST", "/classify", "Content-Length: 99999999\r\n", NULL, 0);
    check("/classify", "post");
    ask(&r, s.address, "POST", "/classify", NULL, NULL, 0);
    check("/classify", "post");
}
END_TEST

/* The same picture gives the same vector, another another; never negative, as a ReLU6 left it. */
START_TEST(test_embed)
{
    static const char *const photos[] = {"coffee.png", "coffee.png", "chelsea.png"};
    double v[3][1280], far = 0;
    for (size_t i = 0; i < GH_COUNT(photos); i++) {
        ask(&r, s.address, "POST", "/embed", NULL, photo(photos[i])->data, photo(photos[i])->len);
        ck_assert_msg(r.status == 200, "%s", (char *)r.body.data);
        check("/embed", "post");
        json_t *o = reply_json(&r), *list = json_object_get(o, "embedding");
        ck_assert_str_eq(json_string_value(json_object_get(o, "model")), REAL);
        ck_assert_uint_eq(json_array_size(list), 1280);
        for (size_t k = 0; k < 1280; k++)
            v[i][k] = json_number_value(json_array_get(list, k));
        json_decref(o);
    }
    ck_assert_mem_eq(v[0], v[1], sizeof v[0]);
    for (size_t k = 0; k < 1280; k++) {
        ck_assert(v[0][k] >= 0 && v[0][k] <= 6); /* the mean of what a ReLU6 gave */
        far = fmax(far, fabs(v[0][k] - v[2][k]));
    }
    ck_assert(far > 0.1);
    ask(&r, s.address, "POST", "/embed?model=tiny", NULL, photo("coffee.png")->data,
        photo("coffee.png")->len);
    check_problem(&r, 400, "the model tiny has no feature vector");
    check("/embed", "post");
}
END_TEST

START_TEST(test_the_document_is_the_file)
{
    json_error_t fault;
    json_t *file = json_load_file("api/openapi.json", JSON_REJECT_DUPLICATES, &fault);
    ck_assert_msg(file != NULL, "%s", fault.text);
    ck_assert(json_equal(file, doc));
    json_decref(file);
}
END_TEST

START_TEST(test_models_list_and_page)
{
    ask(&r, s.address, "GET", "/models", NULL, NULL, 0);
    json_t *o = reply_json(&r), *list = json_object_get(o, "models"), *one;
    size_t i;
    const char *last = "";
    ck_assert_uint_eq(json_array_size(list), 3);
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        ck_assert_str_gt(name, last);
        last = name;
        ck_assert_str_eq(json_string_value(json_object_get(one, "state")), "ready");
        ck_assert_str_eq(json_string_value(json_object_get(one, "task")), "classify");
        ck_assert_int_ge(json_integer_value(json_object_get(json_object_get(one, "input"), "width")), 32);
        ck_assert_int_ge(json_integer_value(json_object_get(json_object_get(one, "input"), "height")), 32);
        ck_assert_ptr_null(json_object_get(one, "labels"));
    }
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "label_count")), 1000);
    json_decref(o);
    ask(&r, s.address, "GET", "/models/" REAL, NULL, NULL, 0);
    o = reply_json(&r);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "labels")), 1000);
    ck_assert(json_is_string(json_object_get(o, "license")));
    ck_assert(json_is_object(json_object_get(o, "source")));
    ck_assert(json_object_get(o, "accuracy") != NULL);
    ck_assert_ptr_null(strstr((char *)r.body.data, "/tmp/"));
    json_decref(o);
}
END_TEST

Suite *suite_api(void)
{
    Suite *suite = suite_create("api");
    TCase *t = tcase_create("api");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_test(t, test_simple_replies_are_as_documented);
    tcase_add_test(t, test_classify_replies_are_as_documented);
    tcase_add_test(t, test_embed);
    tcase_add_test(t, test_the_document_is_the_file);
    tcase_add_test(t, test_models_list_and_page);
    suite_add_tcase(suite, t);
    return suite;
}
