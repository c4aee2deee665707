-- Everybody, as a page.
-- @get /page/people :html people.mustache
-- @param from integer 0.. = 0
-- @public
select id, name, age from person where id > :from order by id limit 10;

-- Several statements, each by its name.
-- @get /page/board :html board.mustache
-- @param id integer 1..
-- @public
-- @as person :one
select id, name, age from person where id = :id;
-- @as newest :many
select name from person where id <= 3 order by id desc limit 2;
-- @as total :text
select count(*) from person where id <= 3;

-- @get /page/person :html board.mustache
-- @param id integer 1..
-- @public
-- @as person :one!
select id, name, age from person where id = :id;
-- @as newest :many
select 'x' as name where 0;
-- @as total :text
select 0;

-- What HTML reads as its own, and each type.
-- @get /page/cells :html parts/cells.mustache
-- @public
-- @reply x_total
select '<b> & "it''s" `a=b`' as t, 9007199254740993 as i, 0.5 as r, 2.0 as whole,
  null as n, x'0001ff' as b, '' as empty, 0 as no, 'Zoë 😀' as u, 3 as x_total;

-- A row that is no row of the table, and an order of them all.
-- @get /page/more :html people.mustache
-- @public
select id, name, age from person where id <= 2
union all
select 0, 'Additional <one>', null order by name limit 10;

-- @get /page/nothing :html parts/nothing.mustache
-- @public
select 1 as a limit 1;

-- @post /page/add :html parts/added.mustache
-- @param name text 1..64
-- @public
insert into person(id, name) values (1000, :name) returning id, name;
delete from person where id = 1000;
