/* One colour a class: the manifest's, else one that the label's text picks, so that a class looks the same in
 * every picture. Of two classes in a picture that pick the same, the later takes the next free one. */
#include "tasks/annotate_colour.h"

#include "base/mem.h"

#include <string.h>

enum { PALETTE = 24 }; /* beyond so many classes in one picture colours repeat */

/* FNV-1a. */
static unsigned label_number(const char *label)
{
    uint32_t h = 2166136261u;
    for (; *label; label++)
        h = (h ^ (unsigned char)*label) * 16777619u;
    return h % PALETTE;
}

static bool manifest_colour(gh_colour *out, const gh_manifest *m, const gh_object *o)
{
    if (!m || !m->colours || o->index < 0 || (size_t)o->index >= m->nlabels ||
        m->labels[o->index] != o->label) /* an object borrows its label from its own model */
        return false;
    const uint8_t *c = m->colours[o->index];
    *out = (gh_colour){c[0], c[1], c[2], 255};
    return true;
}

/* The colour that the object's model gives its class: the model's own, or a pipeline's detector's. */
static bool model_colour(gh_colour *out, const gh_model *m, const gh_object *o)
{
    return m && (manifest_colour(out, m->manifest, o) ||
                 (m->nparts && manifest_colour(out, m->parts[0]->manifest, o)));
}

static bool given_colour(gh_colour *out, const gh_result *r, const gh_object *o)
{
    bool found = model_colour(out, r->model, o);
    for (size_t i = 0; i < r->nparts && !found; i++)
        found = model_colour(out, r->parts[i]->model, o);
    return found;
}

gh_status gh_class_colours(gh_colour **out, const gh_result *r, gh_err *e)
{
    gh_colour *colours = gh_calloc(r->nobjects + 1, sizeof *colours);
    size_t *firsts = gh_calloc(r->nobjects + 1, sizeof *firsts), nfirsts = 0; /* first object of each class */
    uint32_t used = 0;
    if (!colours || !firsts) {
        gh_free(colours);
        gh_free(firsts);
        return gh_fail(e, GH_NOMEM, "memory ran out at a picture's labels");
    }
    for (size_t i = 0; i < r->nobjects; i++) {
        const gh_object *o = &r->objects[i];
        size_t k = 0;
        while (k < nfirsts && strcmp(r->objects[firsts[k]].label, o->label) != 0)
            k++;
        if (k < nfirsts) {
            colours[i] = colours[firsts[k]];
            continue;
        }
        firsts[nfirsts++] = i;
        if (given_colour(&colours[i], r, o))
            continue;
        unsigned mine = label_number(o->label);
        for (int tries = 0; tries < PALETTE && used >> mine & 1; tries++)
            mine = (mine + 1) % PALETTE;
        used |= 1u << mine;
        colours[i] = gh_colour_of(mine);
    }
    gh_free(firsts);
    *out = colours;
    return GH_OK;
}
