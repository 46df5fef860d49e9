//! Measures how fast events are acknowledged: `cargo run --release -p functions --example enqueue [events]`.
//!
//! Callers (1, 8, 64) hand over events of 1 KB, each the next when the last is on disk. There is no data thread, so
//! nothing is run. Printed are the events a second, and the milliseconds until an event was acknowledged.

use std::io::{Cursor, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base::seams::{Caller, Invocation, InvokeFunction};
use base64::Engine as _;
use bytes::Bytes;
use functions::{Functions, Settings};
use wire::ControlPlane;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let events: u32 = std::env::args().nth(1).map_or(Ok(10_000), |events| events.parse())?;
    let folder = tempfile::Builder::new().prefix("enqueue").tempdir_in(".")?;
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let data = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let handle = control.handle().clone();
    local.block_on(&data, async {
        let directory = store::DataDir::open(folder.path())?;
        let settings =
            Settings { data_dir: folder.path().to_owned(), runtime_substitution: true, ..Settings::default() };
        let functions = Functions::open(directory.store(), directory.blobs(), settings, handle).await?;
        create(&functions).await?;
        for callers in [1, 8, 64] {
            measure(&functions, callers, events).await?;
        }
        functions.shutdown(Duration::ZERO).await;
        Ok(())
    })
}

async fn measure(functions: &Arc<Functions>, callers: usize, events: u32) -> Result<(), Failure> {
    let left = Arc::new(AtomicU32::new(events));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (functions, left) = (Arc::clone(functions), Arc::clone(&left));
        tasks.push(tokio::task::spawn_local(async move {
            let mut times = Vec::new();
            let one_less = |left: u32| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                let began = Instant::now();
                functions.enqueue(invocation()).await.map_err(|refusal| format!("{refusal:?}"))?;
                times.push(began.elapsed());
            }
            Ok::<_, String>(times)
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let rate = f64::from(events) / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 1000).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{callers:>3} callers: {rate:>6.0} events/s; median {:.2} ms, 99 % within {:.2} ms",
        at(500),
        at(990)
    )?;
    Ok(())
}

fn invocation() -> Invocation {
    Invocation {
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:measured".into(),
        payload: Bytes::from(format!(r#"{{"text":"{}"}}"#, "x".repeat(1000))),
        caller: Caller::Trusted,
        trace_id: None,
        client_context: None,
        tail_log: false,
        request_id: None,
    }
}

async fn create(functions: &Arc<Functions>) -> Result<(), Failure> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("index.py", zip::write::SimpleFileOptions::default())?;
    writer.write_all(b"def handler(event, context): return 1\n")?;
    let package = base64::engine::general_purpose::STANDARD.encode(writer.finish()?.into_inner());
    let body = serde_json::json!({
        "FunctionName": "measured", "Runtime": "python3.11", "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/r", "Code": { "ZipFile": package },
    });
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature={:064}",
        0
    );
    let request = http::Request::post("/2015-03-31/functions")
        .header("host", "127.0.0.1:4566")
        .header("authorization", signature)
        .body(())?;
    let plane = ControlPlane::new([functions.service().into()], wire::Settings::default());
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
    let answer = plane.handle(request.into_parts().0, body.to_string().into(), peer).await;
    match answer.status() {
        http::StatusCode::CREATED => Ok(()),
        status => Err(format!("the function cannot be made: {status}").into()),
    }
}
