-- The tests of TechEmpower's benchmark, as routes: what keeps their rules and what
-- cannot is in bench/README.md. `server` is a header that the rules want.

-- @get /json :one
-- @public
-- @reply server
select 'Hello, World!' as message, 'undercroft' as server;

-- @get /plaintext :text
-- @public
-- @reply server
select 'Hello, World!' as message, 'undercroft' as server;

-- @get /db :one
-- @random 1..10000
-- @public
-- @reply server
select id, randomnumber as "randomNumber", 'undercroft' as server from world where id = :_random;

-- @get /queries :one
-- @param queries integer 1..500 = 1 @clamp
-- @repeat :queries
-- @random 1..10000
-- @public
-- @reply server
select id, randomnumber as "randomNumber", 'undercroft' as server from world where id = :_random;

-- A GET that writes is none of ours, so this is a POST. A row is read, and then gets
-- another number; all of a request are one transaction.
-- @post /updates :one
-- @param queries integer 1..500 = 1 @clamp
-- @repeat :queries
-- @random 1..10000
-- @public
-- @reply server
select id, randomnumber from world where id = :_random;
update world set randomnumber = abs(random() % 10000) + 1 where id = :_random
 returning id, randomnumber as "randomNumber", 'undercroft' as server;

-- Out of the page cache of SQLite, which is in the memory of the process.
-- @get /cached-queries :one
-- @param count integer 1..500 = 1 @clamp
-- @repeat :count
-- @random 1..10000
-- @public
-- @reply server
select id, randomnumber as "randomNumber", 'undercroft' as server from world where id = :_random;
