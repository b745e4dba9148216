/* The embedded files, by .incbin: no generated source, no tool that a build would have to install. Paths are
 * relative to the project's folder, where make runs; a new file also gets a line in the Makefile. */
#include "http/embedded.h"

#define EMBED(name, path)                                                                                    \
    __asm__(".pushsection .rodata, \"a\"\n"                                                                  \
            ".global " #name "\n.type " #name ", %object\n" #name ":\n"                                      \
            ".incbin \"" path "\"\n"                                                                         \
            ".L" #name "_end:\n.byte 0\n.size " #name ", . - " #name "\n"                                    \
            ".balign 8\n.global " #name "_len\n.type " #name "_len, %object\n.size " #name "_len, 8\n" #name \
            "_len:\n.quad .L" #name "_end - " #name "\n"                                                     \
            ".popsection")

EMBED(gh_openapi_json, "api/openapi.json");
