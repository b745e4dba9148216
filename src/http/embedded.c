/* api/openapi.json and the page within the binary: the assembler takes the files in, the build starts at the
 * project's root. */
#include "http/embedded.h"

#include "base/status.h"

#include <string.h>

/* The bytes of `path` as the array `name`, their number as `name`_len. */
#define EMBED(name, path)                                                                                    \
    __asm__(".section .rodata\n"                                                                             \
            ".global " #name "\n"                                                                            \
            ".type " #name ", %object\n" #name ":\n"                                                         \
            ".incbin \"" path "\"\n" #name "_end:\n"                                                         \
            ".byte 0\n"                                                                                      \
            ".size " #name ", " #name "_end - " #name " + 1\n"                                               \
            ".balign 8\n"                                                                                    \
            ".global " #name "_len\n"                                                                        \
            ".type " #name "_len, %object\n" #name "_len:\n"                                                 \
            ".8byte " #name "_end - " #name "\n"                                                             \
            ".size " #name "_len, 8\n"                                                                       \
            ".previous\n")

EMBED(gh_openapi_json, "api/openapi.json");

/* name of the file, its symbol, its type */
#define WEB_FILES(X)                                                                                         \
    X("index.html", gh_web_index, "text/html; charset=utf-8")                                                \
    X("style.css", gh_web_style, "text/css; charset=utf-8")                                                  \
    X("icon.svg", gh_web_icon, "image/svg+xml")                                                              \
    X("app.js", gh_web_app, "text/javascript; charset=utf-8")                                                \
    X("camera.js", gh_web_camera, "text/javascript; charset=utf-8")                                          \
    X("draw.js", gh_web_draw, "text/javascript; charset=utf-8")                                              \
    X("server.js", gh_web_server, "text/javascript; charset=utf-8")

#define WEB_BYTES(file, symbol, type)                                                                        \
    EMBED(symbol, "src/web/" file);                                                                          \
    extern const char symbol[];                                                                              \
    extern const size_t symbol##_len;
WEB_FILES(WEB_BYTES)

const gh_web_file *gh_web_find(const char *name)
{
#define WEB_ROW(file, symbol, type) {file, type, symbol, &symbol##_len},
    static const gh_web_file files[] = {WEB_FILES(WEB_ROW)};
    for (size_t i = 0; i < GH_COUNT(files); i++)
        if (strcmp(files[i].name, name) == 0)
            return &files[i];
    return NULL;
}
