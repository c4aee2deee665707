'use strict'

// The table, for a file in migrations/. docs/session.md says what its columns mean; the C door reads
// them too.

const sqlite = `-- Who is logged in. A row is found by what its token hashes to, never by the token itself.
create table session(
  key integer primary key,  -- the first 64 bits of id, as a signed number
  id blob not null,         -- sha-256 of the token
  "user" any not null,
  roles text not null,      -- a JSON array of words
  created integer not null, -- milliseconds since 1970, as the two below
  seen integer not null,
  expires integer not null,
  ip text,
  agent text
) strict;
create index session_user on session("user", seen);
create index session_expires on session(expires);
`

module.exports = { migration: Object.freeze({ sqlite }) }
