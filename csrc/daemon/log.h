#ifndef UD_LOG_H
#define UD_LOG_H

struct uc_log;

/*
 * One line to stderr, `undercroftd: ...`, and into the log that the daemon
 * keeps, if there is one. No more than a few a second: what is left out is
 * counted. Any thread.
 */
__attribute__((format(printf, 1, 2))) void ud_log(const char *fmt, ...);

/* The same without that limit: what ends the process, and what was asked for.
 */
__attribute__((format(printf, 1, 2))) void ud_say(const char *fmt, ...);

/* The daemon's log from here on, NULL: none. */
void ud_log_into(struct uc_log *log);

#endif
