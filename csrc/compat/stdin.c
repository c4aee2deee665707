/*
 * jansson reads files as well, and asks then whether one is stdin: the one
 * thing that its archive, compiled for programs and not for shared objects,
 * takes from libc in a way that only programs can. The addon reads JSON from
 * memory alone, so that it may have a stdin of its own which no file is.
 */
extern void *stdin;
__attribute__((visibility("hidden"))) void *stdin;
