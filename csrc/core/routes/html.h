#ifndef UC_CORE_ROUTES_HTML_H
#define UC_CORE_ROUTES_HTML_H

#include "routes/template.h"

/*
 * A template, filled in. An engine keeps of each statement's rows the columns
 * that the template names, as the bytes that will stand in the page:
 *
 *   uc_html_begin ──uc_html_column──> which they are
 *   row by row: uc_html_row, and a uc_html_cell for each of them
 *   uc_html_render
 *
 * No names are compared while rows come, or while they are put into the page.
 * One thread.
 */

enum { UC_HTML_STEPS = 10000000 }; /* nodes and rows of one page */

/* What is kept of one statement. */
typedef struct uc_html_rows {
    uc_form form;
    uint8_t name;    /* number of the statement's name, or none */
    uint32_t ncells; /* of a row */
    uint32_t columns[UC_TEMPLATE_NAMES]; /* the engine's, by cell */
    uint8_t place[UC_TEMPLATE_NAMES];    /* a cell by the number of its name */
    uint64_t n;
    size_t at; /* of the first row in the buffer of cells */
} uc_html_rows;

/* What rows of a statement without a name are called. */
uc_view uc_html_name(const uc_statement *st);
/* at: the length of the buffer that its cells will be appended to. */
void uc_html_begin(uc_html_rows *r, const uc_template *t,
                   const uc_statement *st, size_t at);
/* Column i of n has this name. */
void uc_html_column(uc_html_rows *r, const uc_template *t, uint32_t i,
                    uint32_t n, uc_view name);

/* A row begins. Returns what uc_html_cell wants to know. */
size_t uc_html_row(uc_html_rows *r, uc_buf *cells);
/* The bytes of cell i have been appended, after those of the ones before it.
 * is: whether a section of it is shown. */
void uc_html_cell(const uc_html_rows *r, uc_buf *cells, size_t row, uint32_t i,
                  bool is);

/* Whether the page is no longer wanted; asked now and then. */
typedef struct uc_html_end {
    bool (*is_over)(void *arg); /* NULL: it always is */
    void *arg;
} uc_html_end;

/* Appends the page to out; look at out->failed. False: it took too many steps,
 * or was no longer wanted. */
bool uc_html_render(const uc_template *t, const uc_html_rows *rows, uint32_t n,
                    const uc_buf *cells, uc_html_end end, uc_buf *out);
/* Text, as it stands in HTML between tags or in an attribute's quotes. */
void uc_html_escape(uc_buf *out, uc_view text);

#endif
