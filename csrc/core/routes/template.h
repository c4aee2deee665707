#ifndef UC_CORE_ROUTES_TEMPLATE_H
#define UC_CORE_ROUTES_TEMPLATE_H

#include "routes/routes.h"

struct uc__reading;

/*
 * Templates as mustache(5) has them, read once, when files are loaded.
 *
 *   {{name}}  {{{name}}}  {{&name}}   a value, the first with HTML escaped
 *   {{#name}} … {{/name}}             for each row, or when it is something
 *   {{^name}} … {{/name}}             when there is none, or it is nothing
 *   {{! … }}                          a comment
 *   {{>file}}                         a partial: file, or file.mustache
 *   {{=<% %>=}}                       other delimiters
 *
 * A name is that of a statement or of a column, `statement.column`, or `.`, the
 * value of the section that it stands in. A tag alone on its line takes the
 * line with it, but for values. There are no lambdas and no inheritance.
 *
 * Partials are other templates of the set, and are put in where they stand: a
 * template is one row of nodes. They inherit no delimiters, and close all
 * sections that they open.
 */
enum {
    UC_TEMPLATE_NAMES = 128,
    UC_TEMPLATE_DEPTH = 32,          /* sections in each other */
    UC_TEMPLATE_PARTIALS = 16,       /* in each other */
    UC_TEMPLATE_BYTES = 1024 * 1024, /* with its partials */
    UC_TEMPLATE_NODES = 65536,       /* the same */
    UC_TEMPLATE_NONE = 255           /* no name */
};

typedef enum uc_node_kind {
    UC_NODE_TEXT,
    UC_NODE_VALUE,
    UC_NODE_RAW, /* a value that is not escaped */
    UC_NODE_SECTION,
    UC_NODE_INVERTED
} uc_node_kind;

typedef struct uc_node {
    uc_node_kind kind;
    uint8_t name, column; /* numbers; column: of `name.column`, or none */
    uc_view text;         /* of a text; of others the name as it is written */
    uint32_t past;        /* of sections: the node behind the last in it */
    uint32_t file, line;
} uc_node;

typedef struct uc_template {
    uint32_t nnames;
    const uc_view *names;
    uint8_t dot; /* the number of `.`, or none */
    uint32_t nnodes;
    const uc_node *nodes;
} uc_template;

/* The number of a file of the set that is a template; -1: there is none. */
int64_t uc__template_file(const uc_routes *set, uc_view name);
/* There is no template of this name. Returns false. */
bool uc__no_template(struct uc__reading *r, uint32_t line, uc_view name);
/* NULL with the error. file: of uc__template_file. Changes r->file. */
const uc_template *uc__template_read(struct uc__reading *r, uint32_t file);

#endif
