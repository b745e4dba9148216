/* Text for pages: what comes from outside made harmless, and figures as a person reads them. */
#ifndef GH_TRAIN_REPORT_HTML_H
#define GH_TRAIN_REPORT_HTML_H

#include "base/buf.h"

#include <stdint.h>

/* The style of all pages. */
extern const char gh_html_style[];
/* A page up to its title. The policy forbids every script and every request, whatever a label may say. */
void gh_html_begin(gh_buf *out);
/* Appends `s`, escaped for text and for quoted attributes of HTML and SVG. It need not be UTF-8: bytes that
 * are none, control characters and those that turn the direction of writing become U+FFFD. */
void gh_html_text(gh_buf *out, const char *s);
/* The same, of at most `most` characters; what is longer ends in an ellipsis. */
void gh_html_cut(gh_buf *out, const char *s, size_t most);
/* The same for plain text: valid UTF-8 in one line, not escaped. */
void gh_plain_cut(gh_buf *out, const char *s, size_t most);
/* Characters that the text has, at most `most`. */
size_t gh_text_length(const char *s, size_t most);

/* "1,500" */
void gh_text_count(gh_buf *out, uint64_t n);
/* "1,500 pictures", "1 picture": `thing` in the singular, its plural by an s or, after "s" or "x", es. */
void gh_text_things(gh_buf *out, uint64_t n, const char *thing);
/* 0.921 as "92.1 %"; 0 and 1 as "0 %" and "100 %". */
void gh_text_share(gh_buf *out, double share);
/* The same for a page, where it does not break in two. */
void gh_html_share(gh_buf *out, double share);
/* At most four characters: "999", "1.2k", "12k", "1.2M". */
void gh_text_short(gh_buf *out, uint64_t n);
/* "0.4 s", "12 s", "3 min 20 s" */
void gh_text_seconds(gh_buf *out, double seconds);

#endif
