//! Tables, what is asked, and what is answered.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    person (id) {
        id -> BigInt,
        created_at -> Text,
        name -> Text,
        age -> Integer,
    }
}

diesel::table! {
    world (id) {
        id -> Integer,
        randomnumber -> Integer,
    }
}

diesel::table! {
    fortune (id) {
        id -> Integer,
        message -> Text,
    }
}

#[derive(Queryable, Serialize)]
pub struct Person {
    id: i64,
    created_at: String,
    name: String,
    age: i32,
}

#[derive(Clone, Queryable, Serialize)]
pub struct World {
    pub id: i32,
    #[serde(rename = "randomNumber")]
    pub number: i32,
}

#[derive(Queryable)]
pub struct Fortune {
    pub id: i32,
    pub message: String,
}

#[derive(Insertable)]
#[diesel(table_name = person)]
pub struct NewPerson<'a> {
    created_at: String,
    name: &'a str,
    age: i32,
}

impl<'a> NewPerson<'a> {
    pub fn now(body: &'a PersonBody) -> Self {
        NewPerson { created_at: crate::db::now(), name: &body.name, age: body.age }
    }
}

fn check_person(name: &str, age: i32) -> Result<(), String> {
    if name.is_empty() || name.chars().count() > 64 {
        return Err("name: 1 to 64 characters".into());
    }
    if !(0..=150).contains(&age) {
        return Err("age: 0 to 150".into());
    }
    Ok(())
}

#[derive(Deserialize)]
pub struct PageQuery {
    pub name: String,
    pub age: i32,
    #[serde(default)]
    pub id: i64,
    #[serde(default = "ten")]
    pub ps: i64,
}

fn ten() -> i64 {
    10
}

impl PageQuery {
    pub fn check(&self) -> Result<(), String> {
        check_person(&self.name, self.age)?;
        if self.id < 0 {
            return Err("id: 0 or more".into());
        }
        if !(1..=100).contains(&self.ps) {
            return Err("ps: 1 to 100".into());
        }
        Ok(())
    }
}

#[derive(Deserialize)]
pub struct PersonBody {
    name: String,
    age: i32,
}

impl PersonBody {
    pub fn check(&self) -> Result<(), String> {
        check_person(&self.name, self.age)
    }
}

#[derive(Deserialize)]
pub struct PeopleBody {
    pub people: Vec<PersonBody>,
}

impl PeopleBody {
    pub fn check(&self) -> Result<(), String> {
        if self.people.is_empty() || self.people.len() > 1000 {
            return Err("people: 1 to 1000".into());
        }
        self.people.iter().try_for_each(PersonBody::check)
    }
}

/// 1 to 500, and 1 for what is no number.
fn clamped(number: Option<i64>) -> usize {
    number.unwrap_or(1).clamp(1, 500) as usize
}

fn clamped_text(text: &Option<String>) -> usize {
    clamped(text.as_deref().and_then(|text| text.parse().ok()))
}

#[derive(Deserialize)]
pub struct Queries {
    queries: Option<String>,
}

impl Queries {
    pub fn count(&self) -> usize {
        clamped_text(&self.queries)
    }
}

#[derive(Deserialize)]
pub struct Count {
    count: Option<String>,
}

impl Count {
    pub fn count(&self) -> usize {
        clamped_text(&self.count)
    }
}

#[derive(Deserialize)]
pub struct QueriesBody {
    queries: Option<serde_json::Value>,
}

impl QueriesBody {
    pub fn count(&self) -> usize {
        clamped(self.queries.as_ref().and_then(serde_json::Value::as_i64))
    }
}
