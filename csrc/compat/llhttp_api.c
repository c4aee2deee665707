/* The rest of llhttp.c. */
#include <api.c>
#include <http.c>
