-- The row that is added and the order come from the statement.
-- @get /fortunes :html fortunes.mustache
-- @public
select id, message from (
  select id, message from fortune
  union all
  select 0, 'Additional fortune added at request time.'
  limit 1000
) as f order by message;
