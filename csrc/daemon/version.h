#ifndef UD_VERSION_H
#define UD_VERSION_H

/* Name and version of this program: package.json has the same number, and a
 * test compares them. */
#define UD_SERVER "undercroftd/0.1.0"

#endif
