#ifndef UC_CORE_DESK_POST_H
#define UC_CORE_DESK_POST_H

#include "desk/call.h"
#include "desk/peer.h"

/*
 * Channels on which a server notifies (the op `listen`): what has come on each
 * is kept for those who ask next, by a number that grows. Who asks for more
 * than is kept, or was not listened to for a while, is told that he has missed
 * something.
 */
enum {
    UC_CHANNEL = 63,          /* bytes of a name */
    UC_CHANNELS = 256,        /* of a database */
    UC_NOTICES = 1024,        /* kept of a channel */
    UC_NOTICE_BYTES = 1 << 20 /* the same, in all */
};

typedef struct uc_channel uc_channel;
typedef struct uc_listener uc_listener;

/* mu: inside the engine's and uc_engine.mu, outside of session.mu. */
typedef struct uc_post {
    uc_mutex mu;
    uc_channel *channels;
    uint32_t nchannels;
    uc_listener *listeners;
} uc_post;

struct uc_engine;

void uc__post_init(uc_post *p);
void uc__post_fini(uc_post *p);

/* The op: answers the call or keeps what it asks, and finishes it. */
void uc__listen(uc_peer *p, uc_call *call);
/* Ends a standing call of the session with UC_ABORTED; or all of them, with
 * UC_CLOSED or without a word. */
void uc__listen_cancel(struct uc_engine *e, struct uc_session *s, uint32_t id);
void uc__listen_end(struct uc_engine *e, struct uc_session *s, bool say);

/* What an engine calls. The next channel that the server is not asked for yet,
 * or (*on false) that nobody has asked for in a while. False: there is none. */
bool uc__post_next(uc_post *p, char name[UC_CHANNEL + 1], bool *on);
/* It is listened to, or (false) not any more. */
void uc__post_is(uc_post *p, const char *name, bool on);
void uc__post_notice(uc_post *p, uc_view channel, uc_view payload);
/* Nothing is listened to: the connection is lost. */
void uc__post_lost(uc_post *p);
/* There is nobody to listen: all who wait are told. */
void uc__post_refuse(uc_post *p, const uc_error *e);

#endif
