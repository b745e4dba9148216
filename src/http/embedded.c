/* api/openapi.json within the binary: the assembler takes the file in, the build starts at the project's
 * root. */
#include "http/embedded.h"

__asm__(".section .rodata\n"
        ".global gh_openapi_json\n"
        ".type gh_openapi_json, %object\n"
        "gh_openapi_json:\n"
        ".incbin \"api/openapi.json\"\n"
        "gh_openapi_json_end:\n"
        ".byte 0\n"
        ".size gh_openapi_json, gh_openapi_json_end - gh_openapi_json + 1\n"
        ".balign 8\n"
        ".global gh_openapi_json_len\n"
        ".type gh_openapi_json_len, %object\n"
        "gh_openapi_json_len:\n"
        ".8byte gh_openapi_json_end - gh_openapi_json\n"
        ".size gh_openapi_json_len, 8\n"
        ".previous\n");
