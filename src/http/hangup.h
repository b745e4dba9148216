/* Notices clients that hang up while they wait: libmicrohttpd does not look at a connection that is
 * suspended. A client that closes only its sending side counts as gone, too; TCP does not tell the two apart.
 */
#ifndef GH_HTTP_HANGUP_H
#define GH_HTTP_HANGUP_H

#include "base/status.h"

typedef struct gh_hangup gh_hangup;

/* `gone` is called from a thread of its own, once for each `who` whose client hangs up while it is watched.
 */
GH_MUST_CHECK gh_status gh_hangup_new(gh_hangup **out, void (*gone)(void *who), gh_err *e);
/* The descriptor must stay open until gh_hangup_forget. When memory or the kernel's room is short it is not
 * watched, and its work is done in vain. */
void gh_hangup_watch(gh_hangup *h, int fd, void *who);
/* From now on `gone` is neither running for `who` nor will it be called. Nothing when it is not watched. */
void gh_hangup_forget(gh_hangup *h, int fd, const void *who);
/* Ends the thread; the other functions may still be called. */
void gh_hangup_stop(gh_hangup *h);
void gh_hangup_free(gh_hangup **h);

#endif
