//! How fast log events are written, and what a page of them costs, with few of them and with many:
//! `cargo run --release -p store --example log_pages -- 100000 10000000`.

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use base::clock::Clock;
use store::telemetry::{EventQuery, EventSource, LogStore, Position};
use store::{DataDir, Scope};

/// Streams that the events are spread over, and events of a batch.
const STREAMS: usize = 100;
const BATCH: usize = 10_000;

/// Events of a page, and pages that are timed.
const PAGE: usize = 100;
const PAGES: i64 = 200;

/// The timestamp of the first event; one comes each millisecond.
const START: i64 = 1_700_000_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let mut out = std::io::stdout();
    let logs = DataDir::open(folder.path())?.open_logs(Clock::System)?;
    let scope = Scope::new("000000000000", "us-east-1");
    logs.create_group(&scope, "g", "{}".into()).await?;
    for stream in 0..STREAMS {
        logs.create_stream(&scope, "g", &stream.to_string()).await?;
    }
    let mut written = 0;
    for goal in std::env::args().skip(1) {
        let (goal, before, started) = (goal.parse::<usize>()?, written, Instant::now());
        while written < goal {
            let at = |offset: usize| START + (written + offset) as i64;
            let events = (0..BATCH).map(|offset| (at(offset), line(written + offset))).collect();
            let stream = (written / BATCH % STREAMS).to_string();
            logs.append(&scope, "g", &stream, events).await?;
            written += BATCH;
        }
        let rate = (written - before) as f64 / started.elapsed().as_secs_f64();
        writeln!(out, "{written} events: {rate:.0} a second were written")?;
        let group = logs.group(&scope, "g").await?.ok_or("the group is there")?.id;
        let stream = logs.stream(group, "7").await?.ok_or("the stream is there")?.id;
        for (what, source) in [("group", EventSource::Group(group)), ("stream", EventSource::Streams(vec![stream]))] {
            let (median, worst) = pages(&logs, &source, written as i64).await?;
            writeln!(out, "  a page of {PAGE} events of a {what}: median {median} us, 99th percentile {worst} us")?;
        }
    }
    Ok(())
}

/// Reads pages at places all over the events; the median and the 99th percentile of their times, in microseconds.
async fn pages(logs: &LogStore, source: &EventSource, written: i64) -> Result<(u128, u128), Box<dyn Error>> {
    let mut times = Vec::new();
    for page in 0..PAGES {
        let place = Position::before(START + written * page / PAGES);
        let (after, before) = match page % 2 {
            0 => (place, Position::before(i64::MAX)),
            _ => (Position::before(0), place),
        };
        let query = EventQuery { source: source.clone(), after, before, newest_first: page % 2 == 1 };
        let started = Instant::now();
        logs.scan(query, 0, |found, _| {
            *found += 1;
            if *found < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .await?;
        times.push(started.elapsed().as_micros());
    }
    times.sort_unstable();
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

/// A line as functions print them, 200 bytes or so.
fn line(number: usize) -> String {
    format!(
        "{{\"level\":\"INFO\",\"requestId\":\"{number:032x}\",\"message\":\"item {number} was read\",\"took\":{},\"items\":\
         [1,2,3,4,5,6,7,8,9,10,11,12],\"path\":\"/items/{number}\",\"user\":\"somebody@example.com\"}}",
        number % 997
    )
}
