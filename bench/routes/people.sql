-- The people of one name and age, a page at a time.
-- @get /dmail/user/q :many
-- @param name text 1..64
-- @param age  integer 0..150
-- @param id   integer 0.. = 0        the last id seen
-- @param ps   integer 1..100 = 10    page size
-- @public
select id, created_at, name, age from person
 where name = :name and age = :age and id > :id
 order by id limit :ps;

-- @post /dmail/user/add :none
-- @param name text 1..64
-- @param age  integer 0..150
-- @public
insert into person(created_at, name, age)
values (strftime('%FT%TZ', :_now / 1000, 'unixepoch'), :name, :age);

-- @post /dmail/user/ret :one
-- @param name text 1..64
-- @param age  integer 0..150
-- @public
insert into person(created_at, name, age)
values (strftime('%FT%TZ', :_now / 1000, 'unixepoch'), :name, :age)
returning id, created_at, name, age;

-- @post /dmail/user/batch :none
-- @param people json[] 1..1000
-- @public
insert into person(created_at, name, age)
select strftime('%FT%TZ', :_now / 1000, 'unixepoch'), value ->> 'name', value ->> 'age'
  from json_each(:people);
