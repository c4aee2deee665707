-- The cities of the world. Node and Bun serve these routes beside a handler of their own:
--   node examples/service
-- The daemon serves them without either, once the database is there:
--   npx undercroft serve --http 127.0.0.1:4000 --routes examples/service/routes --db cities.db

-- One city, with all that is known of it.
-- @get /city :one!
-- @param id integer 1..
-- @public
select * from city where id = :id;

-- Cities in the order of their id, perhaps of one country or with one beginning of the name.
-- @get /cities :page id
-- @param country text 2..2 ?              as in FR
-- @param name    text 1..64 ?             how it begins
-- @param id      integer 0.. = 0          the last one seen
-- @param limit   integer 1..1000 = 20
-- @public
select id, name, country, population from city
 where id > :id
   { and country = upper(:country) }
   { and name >= :name and name < :name || char(0x10ffff) }
 order by id limit :limit;

-- The largest cities of a country.
-- @get /country/largest :many
-- @param country text 2..2
-- @param limit   integer 1..100 = 10
-- @public
select id, name, population from city
 where country = upper(:country)
 order by population desc limit :limit;

-- Sets how many live there; what it was before is kept. Both happen, or neither.
-- @post /city/population :one
-- @param id         integer 1..
-- @param population integer 0..100000000
-- @public
select 'no such city' as refuse where not exists (select 1 from city where id = :id);
insert into population_change (city, before, after, at)
 select id, population, :population, strftime('%Y-%m-%dT%H:%M:%fZ', :_now / 1000.0, 'unixepoch')
   from city where id = :id;
update city set population = :population where id = :id returning id, name, population;

-- What there is in all.
-- @get /stats :one
-- @public
select count(*) as cities, count(distinct country) as countries, sum(population) as people,
       (select count(*) from population_change) as changes
  from city;
