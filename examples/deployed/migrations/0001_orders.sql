-- No unique index on the number: whoever counts what a deployment loses or doubles must see both.
create table orders(
  id integer primary key,
  number integer not null,
  item text not null,
  release text,
  at text not null
);
create index orders_number on orders(number);
