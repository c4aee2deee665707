#ifndef UC_CORE_ROUTES_TAGS_H
#define UC_CORE_ROUTES_TAGS_H

#include "routes/line.h"
#include "routes/reading.h"

/*
 * The grammar of a file of routes.
 *
 *   file      = { blank line | comment | route }
 *   route     = [ words ] get-or-post { tag } statement { [ as ] statement }
 *   words     = lines `-- …` directly above @get or @post: they describe it
 *   tag       = a line of its own, `-- @name …`; no blank has to be behind --
 *   statement = SQL, and a `;` behind each, the last one too
 *
 * Other comments (further lines `-- …`, those of C, what is behind a `;`) say
 * nothing. UTF-8, without NUL; lines end with LF or CRLF, and a BOM is skipped.
 *
 *   @get path [form] | @post path [form]
 *       path: / and parts of letters, digits and -._~!+,=@: between them; no
 *       empty part, no . and .., no part that begins with a colon.
 *       form: :many (default of GET) :one :one! :none (default of POST) :text,
 *       `:page column [, column]`: what the next page begins behind, each a
 *       @param as well; or `:html file`, of a template that was handed in.
 *   @param name type { part } [ words ]
 *   @header name type { part } [ words ]       binds :x_tenant for x-tenant
 *       name: [A-Za-z][A-Za-z0-9_]*, at most 64; of a header - in place of _.
 *       type: text integer real boolean time uuid json blob, or 'a'|'b'; with
 *       [] directly behind it a list.
 *       part, in any order, each once:
 *         lo..hi   either end may be left out. Characters of a text, bytes of a
 *                  blob, entries of a list, the value of an integer or a real;
 *                  no other type has one
 *         @clamp   of a number with a range
 *         ?        may be absent
 *         secret   is in no log
 *         = value  when it is absent: up to the next blank, or '…', in which
 *                  '' is one '. Not together with ?. It has to fit
 *       words: from a letter, a ( or a character beyond ASCII on to the end of
 *       the line. No range, ? or @word may be in them.
 *   @auth { role } | @public                   one of the two
 *   @cache time                                of a GET
 *   @timeout time                              ms s m h d; at most 366d
 *   @rate n/time [by] ip|user
 *   @scan ok
 *   @audit [schema.]table                      of a POST
 *   @say kind[(column)] text                   of a POST; kind: unique,
 *                                              foreign-key, check, not-null,
 *                                              constraint
 *   @reply column
 *   @repeat :name
 *   @random lo..hi                             bounds of :_random
 *   @as name form                              before a statement; :many :one
 *                                              :one! :text, default :many
 *   @live                                      is not built yet
 *
 * All but @param, @header, @say, @reply and @as stand once; all but @as before
 * the first statement of their route.
 *
 * In a statement, outside of '…' "…" `…` […] and comments:
 *   :name     a @param or @header, or one of the service (:_user …). Each that
 *             is declared is used, by a statement or by @repeat.
 *   { … }     a piece, there when all of its parameters with ? were given, of
 *             which it has one at least. Parentheses close within it. At most 8
 *             of a statement, none in another; none holds the `where` of an
 *             update or delete.
 * $ ? and @name are refused, which the engines read in different ways, and so
 * are E'…' and comments in comments.
 *
 * `select … as refuse` refuses: a row of it ends the request. The others
 * answer. A GET that has several of those names each by @as; in a POST without
 * @as the last that returns rows answers.
 *
 * A select with the form :many, :page or :html has a `limit`, at its end but
 * for `offset`, outside of pieces: a number, or an integer that is always there
 * with a range from 0 or more on. Not: one of aggregates without `group by`.
 * :page has an `order by`, and a limit that is a parameter.
 */

/* line: behind the @. False with the error. */
bool uc__tag_read(uc__reading *r, uc_view line);

#endif
