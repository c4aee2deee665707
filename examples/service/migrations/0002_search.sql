-- Full-text search over both names. The text stays in city; after a load the index is built by
-- insert into city_text (city_text) values ('rebuild').
create virtual table city_text using fts5 (
  name, alt_name, content = 'city', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

create trigger city_text_delete after delete on city begin
  insert into city_text (city_text, rowid, name, alt_name) values ('delete', old.id, old.name, old.alt_name);
end;

create trigger city_text_update after update of name, alt_name on city begin
  insert into city_text (city_text, rowid, name, alt_name) values ('delete', old.id, old.name, old.alt_name);
  insert into city_text (rowid, name, alt_name) values (new.id, new.name, new.alt_name);
end;
