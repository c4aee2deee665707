create table product (
  id integer primary key,
  name text not null unique,
  cents integer not null check (cents >= 0),
  stock integer not null default 0 check (stock >= 0),
  created_at integer not null
) strict;

insert into product (name, cents, stock, created_at) values
  ('lamp', 2900, 12, 1798761600000),
  ('chair', 8900, 4, 1798761600000),
  ('table', 24900, 1, 1798761600000);
