-- The row that is added and the order come from the statement.
-- @get /fortunes :html fortunes.mustache
-- @public
-- @reply server
select id, message, 'undercroft' as server from (
  select id, message from fortune
  union all
  select 0, 'Additional fortune added at request time.'
) order by message limit 1000;
