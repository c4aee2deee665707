-- Routes that the vectors of core-vectors.js ask.

-- The people of one name and age, a keyset page.
-- @get /dmail/user/q :many
-- @param name  text 1..64
-- @param age   integer 0..150
-- @param id    integer 0.. = 0        the last id seen
-- @param ps    integer 1..100 = 10    page size
-- @public
select id, name, age from person
 where name = :name and age = :age and id > :id
 order by id limit :ps;

-- @post /dmail/user/add :one
-- @param name text 1..64
-- @param age  integer 0..150
-- @public
-- @say   unique  that name is taken
insert into person(name, age) values (:name, :age) returning id;

-- What is absent stays as it is; null is null.
-- @post /dmail/user/set :none
-- @param id   integer 1..
-- @param name text 1..64 ?
-- @param age  integer 0..150 ?
-- @public
select 'no such user' as refuse where not exists (select 1 from person where id = :id);
update person set id = id { , name = :name } { , age = :age } where id = :id;

-- @get /one :one!
-- @param id integer 1..
-- @public
select id, name, age from person where id = :id;

-- @get /maybe :one
-- @param id integer 1..
-- @public
select id, name from person where id = :id;

-- @get /board
-- @public
-- @as users :one
select count(*) as total, max(id) as last from person;
-- @as newest :many
select id, name from person order by id desc limit 2;
-- @as nobody :one
select id from person where id < 0;

-- @get /page :page id
-- @param id integer 0.. = 0
-- @param ps integer 1..100 = 2
-- @public
select id, name from person where id > :id order by id limit :ps;

-- @get /name :text
-- @param id integer
-- @public
select name from person where id = :id;

-- @get /types
-- @param t text 1..3 ?
-- @param i integer -5..5 ?
-- @param r real 0..1 ?
-- @param b boolean ?
-- @param at time ?
-- @param u uuid ?
-- @param w 'new'|'paid' ?
-- @param l integer[] 1..3 ?
-- @param z blob ..4 ?
-- @public
select :t as t, :i as i, :r as r, :b as b, :at as at, :u as u, :w as w, :l as l, hex(:z) as z limit 1;

-- @post /bodies :one
-- @param t text
-- @param i integer
-- @param r real
-- @param b boolean
-- @param j json
-- @param l text[]
-- @public
select :t as t, :i as i, :r as r, :b as b, :j as j, :l as l;

-- @get /clamp :text
-- @param queries integer 1..500 @clamp = 1
-- @public
select :queries;

-- @get /total
-- @reply x_total
-- @public
select 7 as x_total, 'a' as name limit 1;

-- @get /tenant :text
-- @header x-tenant text 1..8
-- @public
select :x_tenant;

-- @get /mine :one
-- @auth
select :_user as user, :_roles as roles;

-- @get /staff :text
-- @auth staff admin
select 'staff only';

-- @get /often :one
-- @param n integer 0..5 @clamp = 1
-- @repeat :n
-- @random 3..3
-- @public
select :_random as x;

-- @post /twice :none
-- @param id integer
-- @public
insert into person(id, name, age) values (:id, 'twice ' || :id, 1);
insert into person(id, name, age) values (:id, 'again', 1);

-- @post /child :none
-- @param person integer
-- @public
insert into note(person, text) values (:person, 'x');

-- @post /empty-name :none
-- @public
insert into person(name, age) values (null, 1);

-- @post /count :one
-- @param by integer 1..9
-- @public
update counter set n = n + :by returning n;

-- @get /slow :text
-- @timeout 50ms
-- @public
with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c;

-- @get /seldom :text
-- @rate 2/1h by ip
-- @public
select 'seldom';

-- @post /seldom :text
-- @param n integer
-- @rate 1/1h by ip
-- @public
select 'seldom ' || :n;

-- @get /seldom/mine :text
-- @rate 1/1h by user
-- @auth
select 'mine';

-- @get /kept :many
-- @param most integer 1..10 = 10
-- @cache 1h
-- @reply x_most
-- @public
select name, :most as x_most from person order by id limit :most;

-- @get /when :text
-- @public
select :_now || count(*) from person;

-- @post /secret :one
-- @param by  integer 1..9
-- @param pin text 1..9 secret
-- @auth
update counter set n = n + :by where :pin <> '' returning n;

-- @post /secret/public :text
-- @param pin text 1..9 secret
-- @public
select length(:pin);
