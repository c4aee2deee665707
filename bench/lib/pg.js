'use strict'

// The server of the door pg: a cluster of the benchmark's own, as another user where this one is root,
// with fsync, on the disk that the benchmark writes to. Every contestant of a case has a database of
// its own, a copy of one template, and all have the same server.

const { start, whyNot } = require('../../test/pg')
const { WORLDS } = require('./data')

const USERS = 100_000
const TEMPLATE = 'bench'

// PostgreSQL as it comes, but for a cache that holds all of it. No replica and no slot is fed.
const SETTINGS = { shared_buffers: '128MB', wal_level: 'replica', fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', max_wal_size: '4GB', max_connections: 500 }

// Numbers are int4, which every driver gives as a number.
const schemaOf = scale => `
  create table world(id int primary key, randomnumber int not null);
  insert into world select i, 1 + (i::bigint * 2654435761 % ${WORLDS})::int from generate_series(1, ${WORLDS}) i;
  create table person(id int primary key, name text not null, age int not null, city text not null, created_at int not null);
  insert into person select i, 'name ' || i, i % 90, 'city ' || i % 500, 1700000000 + i from generate_series(1, ${Math.max(2000, Math.round(USERS * scale))}) i;
  create table note(id bigint generated always as identity primary key, body text not null, n int not null);
  create table bulk(id int not null, name text not null, age int not null, city text not null, created_at int not null);`

/** Null, or why there is no such server. */
function missing () {
  return whyNot()
}

/**
 * @param {string} dir on a disk
 * @param {{ scale: number, isSmoke?: boolean }} timing
 * @returns {Promise<{ version: string, fresh: (key: string) => object, stop: () => Promise<void> }>}
 */
async function startServer (dir, { scale, isSmoke }) {
  let end = () => {}
  const server = await start({ teardown (fn) { end = fn } }, { dir, fsync: true, settings: SETTINGS })
  server.sql(`create database ${TEMPLATE} template template0`)
  server.sql(schemaOf(isSmoke ? scale : 1), TEMPLATE)
  server.sql('vacuum analyze', TEMPLATE)
  server.sql('checkpoint', TEMPLATE)
  let count = 0
  return {
    version: server.sql('show server_version'),
    people: isSmoke ? Math.max(2000, Math.round(USERS * scale)) : USERS,
    /** A database for one contestant: { host, port, user, database, url, people }. */
    fresh () {
      const database = `bench_${++count}`
      server.sql(`create database ${database} template ${TEMPLATE}`)
      return { host: server.dir, port: server.port, user: 'postgres', database, url: server.url(database), people: this.people }
    },
    drop: ({ database }) => { server.sql(`drop database if exists ${database} with (force)`) },
    stop: async () => end()
  }
}

module.exports = { missing, start: startServer, USERS }
