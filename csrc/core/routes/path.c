#include "routes/path.h"

enum { LONGEST = 512 };

/* RFC 3986's unreserved, and a few that nothing on the way gives a meaning. A
 * path with others would arrive in more than one spelling. */
static bool is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!+,=@:", c) != NULL);
}

static const char *segment_fault(uc_view s)
{
    if (s.len == 0)
        return "has an empty part between two /, or a / at its end";
    if (uc_view_is(s, ".") || uc_view_is(s, ".."))
        return "has a part . or ..";
    if (s.p[0] == ':')
        return "has a part that begins with a colon: what varies is a @param, "
               "behind the ? of a request";
    return NULL;
}

static const char *character_fault(uint8_t c)
{
    switch (c) {
    case '?':
        return "has a ?: what is behind it in a request are @params";
    case '#':
        return "has a #, which no request has";
    case '%':
        return "has a %: it is written as it is, and only with plain "
               "characters";
    default:
        return "has a character other than letters, digits and -._~!+,=@:";
    }
}

const char *uc__path_fault(uc_view path)
{
    size_t from = 1;

    if (path.len == 0 || path.p[0] != '/')
        return "does not begin with /";
    if (path.len > LONGEST)
        return "is longer than 512 bytes";
    if (path.len == 1)
        return NULL;
    for (size_t i = 1; i <= path.len; i++) {
        const char *fault;

        if (i < path.len && path.p[i] != '/') {
            if (!is_plain(path.p[i]))
                return character_fault(path.p[i]);
            continue;
        }
        fault = segment_fault((uc_view){path.p + from, i - from});
        if (fault != NULL)
            return fault;
        from = i + 1;
    }
    return NULL;
}
