/* Closing gently. A reply that goes out before the body was read ends its connection; were the socket closed
 * with unread bytes in it, the kernel would reset the connection and the client might never see the reply. So
 * such sockets come here, where what the client still sends is read away for a while. */
#ifndef GH_HTTP_LINGER_H
#define GH_HTTP_LINGER_H

#include "base/status.h"

typedef struct gh_linger gh_linger;

/* Starts its thread. */
GH_MUST_CHECK gh_status gh_linger_new(gh_linger **out, gh_err *e);
/* Takes the descriptor over; its sending side is closed already. From any thread. */
void gh_linger_take(gh_linger *l, int fd);
/* Closes what is left and ends the thread. */
void gh_linger_free(gh_linger **l);

#endif
