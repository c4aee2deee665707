-- The tests of TechEmpower's benchmark, as routes: which of their rules are kept, and
-- which are not, is in bench/README.md.

-- @get /json :one
-- @public
select 'Hello, World!' as message;

-- @get /plaintext :text
-- @public
select 'Hello, World!' as message;

-- @get /db :one
-- @random 1..10000
-- @public
select id, randomnumber as "randomNumber" from world where id = :_random;

-- @get /queries :one
-- @param queries integer 1..500 = 1 @clamp
-- @repeat :queries
-- @random 1..10000
-- @public
select id, randomnumber as "randomNumber" from world where id = :_random;

-- A GET that writes is none of ours, so this is a POST. A row is read, gets another
-- number, and is answered as it is then; all of a request are one transaction. RETURNING
-- would do both, and makes a table in memory each time.
-- @post /updates :one
-- @param queries integer 1..500 = 1 @clamp
-- @repeat :queries
-- @random 1..10000
-- @public
select id, randomnumber from world where id = :_random;
update world set randomnumber = abs(random() % 10000) + 1 where id = :_random;
select id, randomnumber as "randomNumber" from world where id = :_random;

-- Each row is kept by its id until the table changes.
-- @get /cached-queries :one
-- @param count integer 1..500 = 1 @clamp
-- @repeat :count
-- @random 1..10000
-- @cache 1h
-- @public
select id, randomnumber as "randomNumber" from world where id = :_random;
