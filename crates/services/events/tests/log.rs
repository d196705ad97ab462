//! The event log against real files.

use blocking::Blocking;
use events::{Event, Events, Limits, Query, Subscription, Type};
use refs::{Filters, Timestamp};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("naru-test-events-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // leftovers in the temporary directory harm nobody
    }
}

const SMALL: Limits = Limits { memory: 8, file_bytes: 2000, files: 3 };

fn open(path: &Path, limits: Limits) -> Events {
    Events::open(path, limits, Blocking::new(2)).unwrap()
}

fn event(number: i64) -> Event {
    Event {
        kind: Type::Container,
        action: "start".into(),
        actor: number.to_string(),
        attributes: [("name".to_owned(), format!("c{number}"))].into(),
        time: Timestamp(number),
    }
}

fn query(since: Option<i64>, until: Option<i64>) -> Query {
    Query::new(since.map(Timestamp), until.map(Timestamp), Filters::default()).unwrap()
}

async fn take(subscription: &mut Subscription, count: usize) -> Vec<i64> {
    let mut times = Vec::new();
    for _ in 0..count {
        let next = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await.unwrap();
        times.push(next.unwrap().time.0);
    }
    times
}

async fn rest(subscription: &mut Subscription) -> Vec<i64> {
    let mut times = Vec::new();
    while let Some(event) = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await.unwrap()
    {
        times.push(event.time.0);
    }
    times
}

#[tokio::test]
async fn subscription_without_period_gets_only_what_comes() {
    let directory = Directory::new("live");
    let events = open(&directory.log(), SMALL);
    events.publish(event(1));
    let mut subscription = events.subscribe(query(None, None));
    events.publish(event(2));
    events.publish(event(3));
    assert_eq!(take(&mut subscription, 2).await, [2, 3]);
}

#[tokio::test]
async fn subscription_since_joins_past_and_future_without_gap() {
    let directory = Directory::new("join");
    let events = open(&directory.log(), SMALL);
    let mut before = Vec::new();
    for number in 0..30 {
        events.publish(event(number));
        before.push(events.subscribe(query(Some(0), None)));
    }
    for mut subscription in before {
        assert_eq!(take(&mut subscription, 30).await, (0..30).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn subscription_with_past_end_stops() {
    let directory = Directory::new("past");
    let events = open(&directory.log(), SMALL);
    (0..20).for_each(|number| events.publish(event(number)));
    assert_eq!(rest(&mut events.subscribe(query(Some(5), Some(8)))).await, [5, 6, 7, 8]);
    assert_eq!(rest(&mut events.subscribe(query(None, Some(2)))).await, [0, 1, 2]);
    assert_eq!(rest(&mut events.subscribe(query(Some(100), Some(101)))).await, Vec::<i64>::new());
}

#[tokio::test]
async fn subscription_with_future_end_stops_then() {
    let directory = Directory::new("future");
    let events = open(&directory.log(), SMALL);
    let now = Timestamp::from(std::time::SystemTime::now()).nanos();
    let mut subscription = events.subscribe(query(None, Some(now + 200_000_000)));
    events.publish(event(now));
    assert_eq!(rest(&mut subscription).await.last(), Some(&now));
    assert!(Timestamp::from(std::time::SystemTime::now()).nanos() >= now + 200_000_000);
}

#[tokio::test]
async fn events_survive_a_restart() {
    let directory = Directory::new("restart");
    for round in 0..3 {
        let events = open(&directory.log(), SMALL);
        (0..20).for_each(|number| events.publish(event(round * 20 + number)));
    }
    let events = open(&directory.log(), Limits { files: 9, ..SMALL });
    let all = rest(&mut events.subscribe(query(Some(0), Some(1000)))).await;
    assert_eq!(all.last(), Some(&59));
    assert!(all.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{all:?}");
}

#[tokio::test]
async fn files_stay_within_the_limit() {
    let directory = Directory::new("rotate");
    let events = open(&directory.log(), SMALL);
    for number in 0..500 {
        events.publish(event(number));
        if number % 10 == 0 {
            events.flush().await;
        }
    }
    events.flush().await;
    let sizes: Vec<u64> =
        fs::read_dir(&directory.0).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).collect();
    assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 2200), "{sizes:?}");
    let kept = rest(&mut events.subscribe(query(Some(0), Some(1000)))).await;
    assert!(
        kept.len() > 20 && kept.last() == Some(&499) && kept.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{kept:?}"
    );
}

#[tokio::test]
async fn subscription_that_fell_behind_catches_up_from_disk() {
    let directory = Directory::new("slow");
    let events = open(&directory.log(), Limits { file_bytes: 1 << 20, ..SMALL });
    let mut subscription = events.subscribe(query(None, None));
    for number in 0..2000 {
        events.publish(event(number));
    }
    events.flush().await;
    assert_eq!(take(&mut subscription, 2000).await, (0..2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn line_torn_by_a_crash_is_skipped() {
    let directory = Directory::new("torn");
    drop({
        let events = open(&directory.log(), SMALL);
        events.publish(event(1));
        events
    });
    let mut bytes = fs::read(directory.log()).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"n\":1,\"t\"");
    fs::write(directory.log(), bytes).unwrap();
    let events = open(&directory.log(), SMALL);
    events.publish(event(2));
    events.flush().await;
    assert_eq!(rest(&mut events.subscribe(query(Some(0), Some(10)))).await, [1, 2]);
    drop(events);
    let events = open(&directory.log(), SMALL);
    assert_eq!(rest(&mut events.subscribe(query(Some(0), Some(10)))).await, [1, 2]);
}

#[tokio::test]
async fn subscription_dropped_while_waiting_loses_nothing() {
    let directory = Directory::new("cancel");
    let events = open(&directory.log(), SMALL);
    let mut subscription = events.subscribe(query(None, None));
    assert!(tokio::time::timeout(Duration::from_millis(5), subscription.next()).await.is_err());
    events.publish(event(1));
    assert_eq!(take(&mut subscription, 1).await, [1]);
}
