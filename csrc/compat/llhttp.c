/*
 * llhttp where a system has its sources and no library, as Debian 12 in
 * node-llhttp: find-lib.js has their folder searched for headers. The machine
 * here, what is around it in llhttp_api.c: each declares the functions of the
 * other in its own way.
 */
#include <llhttp.c>
