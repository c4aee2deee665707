//! The database, by diesel.

use crate::models::{fortune, person, world, Fortune, NewPerson, PageQuery, Person, World};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, PoolError};
use diesel::result::{ConnectionError, Error};
use serde::Deserialize;
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

const WORLDS: u64 = 10_000;
/// Only one is in use at a time on one thread.
const READERS: u32 = 2;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    synchronous: String,
    #[serde(rename = "cacheKiB")]
    cache_kib: u32,
}

impl Settings {
    fn apply(&self, connection: &mut SqliteConnection) -> QueryResult<()> {
        connection.batch_execute(&format!(
            "pragma journal_mode = wal; pragma synchronous = {}; pragma cache_size = -{}; \
             pragma mmap_size = 0; pragma busy_timeout = 5000;",
            self.synchronous, self.cache_kib
        ))
    }
}

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Settings {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        self.apply(connection).map_err(diesel::r2d2::Error::QueryError)
    }
}

pub struct Db {
    readers: Pool<ConnectionManager<SqliteConnection>>,
    writer: Mutex<SqliteConnection>,
    cache: Vec<World>,
}

/// Of a read: no connection, or an error of the database.
#[derive(Debug)]
pub enum ReadError {
    Pool(PoolError),
    Query(Error),
}

impl From<PoolError> for ReadError {
    fn from(err: PoolError) -> Self {
        ReadError::Pool(err)
    }
}

impl From<Error> for ReadError {
    fn from(err: Error) -> Self {
        ReadError::Query(err)
    }
}

impl From<ReadError> for crate::Failure {
    fn from(err: ReadError) -> Self {
        match err {
            ReadError::Pool(err) => err.into(),
            ReadError::Query(err) => err.into(),
        }
    }
}

type Read<T> = Result<T, ReadError>;

impl Db {
    pub fn open(file: &str, settings: &Settings) -> Result<Db, Box<dyn std::error::Error>> {
        let readers = Pool::builder()
            .max_size(READERS)
            .test_on_check_out(false)
            .connection_customizer(Box::new(settings.clone()))
            .build(ConnectionManager::new(file))?;
        let mut writer = connect(file)?;
        settings.apply(&mut writer)?;
        let cache = world::table.order(world::id).load(&mut writer)?;
        Ok(Db { readers, writer: Mutex::new(writer), cache })
    }

    fn write(&self) -> MutexGuard<'_, SqliteConnection> {
        self.writer.lock().expect("no handler panics")
    }

    pub fn page(&self, query: &PageQuery) -> Read<Vec<Person>> {
        let mut connection = self.readers.get()?;
        Ok(person::table
            .filter(person::name.eq(&query.name))
            .filter(person::age.eq(query.age))
            .filter(person::id.gt(query.id))
            .order(person::id.asc())
            .limit(query.ps)
            .load(&mut connection)?)
    }

    pub fn add(&self, new: &NewPerson) -> QueryResult<()> {
        diesel::insert_into(person::table).values(new).execute(&mut *self.write())?;
        Ok(())
    }

    pub fn add_returning(&self, new: &NewPerson) -> QueryResult<Person> {
        diesel::insert_into(person::table).values(new).get_result(&mut *self.write())
    }

    /// One by one in a transaction: a batch of diesel's is one more statement to
    /// prepare for each length, which its cache does not keep.
    pub fn add_all(&self, people: &[NewPerson]) -> QueryResult<()> {
        self.write().immediate_transaction(|connection| {
            people.iter().try_for_each(|new| {
                diesel::insert_into(person::table).values(new).execute(connection).map(drop)
            })
        })
    }

    pub fn world(&self) -> Read<World> {
        Ok(world_at(&mut *self.readers.get()?, random())?)
    }

    pub fn worlds(&self, count: usize) -> Read<Vec<World>> {
        let mut connection = self.readers.get()?;
        let rows: QueryResult<_> =
            (0..count).map(|_| world_at(&mut connection, random())).collect();
        Ok(rows?)
    }

    pub fn cached(&self, count: usize) -> Vec<World> {
        (0..count).map(|_| self.cache[random() as usize - 1].clone()).collect()
    }

    pub fn update_worlds(&self, count: usize) -> QueryResult<Vec<World>> {
        self.write().immediate_transaction(|connection| {
            (0..count)
                .map(|_| -> QueryResult<World> {
                    let mut row = world_at(connection, random())?;
                    row.number = random();
                    diesel::update(world::table.find(row.id))
                        .set(world::randomnumber.eq(row.number))
                        .execute(connection)?;
                    Ok(row)
                })
                .collect()
        })
    }

    pub fn fortunes(&self) -> Read<Vec<Fortune>> {
        Ok(fortune::table.load(&mut *self.readers.get()?)?)
    }
}

fn connect(file: &str) -> Result<SqliteConnection, ConnectionError> {
    SqliteConnection::establish(file)
}

fn world_at(connection: &mut SqliteConnection, id: i32) -> QueryResult<World> {
    world::table.find(id).first(connection)
}

thread_local! {
    static STATE: Cell<u64> = Cell::new(since_1970().as_nanos() as u64 | 1);
}

/// From 1 to WORLDS: xorshift, as fast as it can be.
fn random() -> i32 {
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        ((x >> 20) % WORLDS) as i32 + 1
    })
}

fn since_1970() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970")
}

/// 2026-11-30T12:00:00Z, by the days of the civil calendar.
pub fn now() -> String {
    let seconds = since_1970().as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let rest = seconds % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Years of 400 repeat, and begin with March, so that the odd day is the last one.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
