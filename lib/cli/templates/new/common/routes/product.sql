-- A page of the products, by what the name begins with.
-- @get /product/list :page id
-- @param name  text 1..64 ?
-- @param id    integer 0.. = 0          of the last one seen
-- @param limit integer 1..100 = 20
-- @public
select id, name, cents, stock from product
 where id > :id { and name like :name || '%' }
 order by id limit :limit;

-- @get /product/one :one!
-- @param id integer 1..
-- @public
select id, name, cents, stock, created_at from product where id = :id;

-- @post /product/add :one
-- @param name  text 1..64
-- @param cents integer 0..100000000
-- @param stock integer 0..1000000 = 0
-- @public
-- @say unique  that name is taken
insert into product (name, cents, stock, created_at) values (:name, :cents, :stock, :_now) returning id;

-- All of it happens, or nothing.
-- @post /product/buy :one
-- @param id    integer 1..
-- @param count integer 1..10 = 1
-- @public
select 'no such product' as refuse where not exists (select 1 from product where id = :id);
select 'not so many in stock' as refuse where exists (select 1 from product where id = :id and stock < :count);
update product set stock = stock - :count where id = :id returning id, stock;
