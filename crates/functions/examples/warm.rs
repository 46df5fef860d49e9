//! Measures warm invocations: `cargo run --release -p functions --example warm [calls]`.
//!
//! One caller on one data thread calls a Python and a Node function again and again; printed are the microseconds of a
//! round trip and of CPU time, ours and the function's process's. Where the kernel runs the process decides much: compare
//! with `taskset -c 0`, which puts both on one core.

use std::io::{Cursor, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::seams::{Caller, Invocation, InvokeFunction, Outcome};
use base64::Engine as _;
use bytes::Bytes;
use functions::{Functions, Settings};
use wire::ControlPlane;

type Failure = Box<dyn std::error::Error>;

const PYTHON: &str = "import json, os
def handler(event, context):
    if event.get('who'): return os.getpid()
    name = (event.get('queryStringParameters') or {}).get('name', 'nobody')
    return {'statusCode': 200, 'headers': {'content-type': 'application/json'}, 'body': json.dumps({'message': 'hello ' + name})}
";

const NODE: &str = "exports.handler = async (event) => event.who ? process.pid : ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message: 'hello ' + ((event.queryStringParameters || {}).name || 'nobody') }),
});
";

/// An event of an HTTP API, about 1 KB.
const EVENT: &str = r#"{"version":"2.0","routeKey":"GET /hello","rawPath":"/hello","rawQueryString":"name=ada","headers":{"accept":"*/*","content-length":"0","host":"abcdefghij.execute-api.us-east-1.amazonaws.com","user-agent":"bench/1.0","x-amzn-trace-id":"Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e","x-forwarded-for":"127.0.0.1","x-forwarded-port":"443","x-forwarded-proto":"https"},"queryStringParameters":{"name":"ada"},"requestContext":{"accountId":"123456789012","apiId":"abcdefghij","domainName":"abcdefghij.execute-api.us-east-1.amazonaws.com","domainPrefix":"abcdefghij","http":{"method":"GET","path":"/hello","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"bench/1.0"},"requestId":"JKJaXmPLvHcESHA=","routeKey":"GET /hello","stage":"$default","time":"10/Mar/2020:05:16:23 +0000","timeEpoch":1583817383220},"isBase64Encoded":false}"#;

fn main() -> Result<(), Failure> {
    functions::run_if_asked();
    let calls: u32 = std::env::args().nth(1).map_or(Ok(50_000), |calls| calls.parse())?;
    let folder = tempfile::tempdir()?;
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let data = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let handle = control.handle().clone();
    local.block_on(&data, async {
        let directory = store::DataDir::open(folder.path())?;
        let settings =
            Settings { data_dir: folder.path().to_owned(), runtime_substitution: true, ..Settings::default() };
        let functions = Functions::open(directory.store(), directory.blobs(), settings, handle).await?;
        functions.attach(0);
        for (runtime, file, code) in [("python3.11", "index.py", PYTHON), ("nodejs20.x", "index.js", NODE)] {
            create(&functions, runtime, file, code).await?;
            measure(&functions, runtime, calls).await?;
        }
        functions.shutdown(Duration::from_secs(1)).await;
        Ok(())
    })
}

async fn measure(functions: &Arc<Functions>, runtime: &str, calls: u32) -> Result<(), Failure> {
    let cold = Instant::now();
    let process = call(functions, runtime, "{\"who\":true}").await?;
    let cold = cold.elapsed();
    let process: u32 = std::str::from_utf8(&process)?.parse()?;
    for _ in 0..calls / 10 {
        call(functions, runtime, EVENT).await?;
    }
    let (ours, its, began) = (cpu("self")?, cpu(&process.to_string())?, Instant::now());
    for _ in 0..calls {
        call(functions, runtime, EVENT).await?;
    }
    let each = |total: f64| total * 1e6 / f64::from(calls);
    let round_trip = each(began.elapsed().as_secs_f64());
    let (ours, its) = (each(cpu("self")? - ours), each(cpu(&process.to_string())? - its));
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{runtime}: round trip {round_trip:.1} us; CPU ours {ours:.1} us, the function's {its:.1} us; first call {cold:?}"
    )?;
    Ok(())
}

async fn call(functions: &Arc<Functions>, runtime: &str, event: &'static str) -> Result<Bytes, Failure> {
    let name = runtime.replace('.', "-");
    let invocation = Invocation {
        function_arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}").into(),
        payload: Bytes::from_static(event.as_bytes()),
        caller: Caller::Trusted,
        trace_id: None,
        client_context: None,
        tail_log: false,
        request_id: None,
    };
    match functions.invoke(invocation).await.map_err(|refusal| format!("{refusal:?}"))?.outcome {
        Outcome::Returned(payload) => Ok(payload),
        Outcome::Failed(payload) => Err(String::from_utf8_lossy(&payload).into()),
    }
}

async fn create(functions: &Arc<Functions>, runtime: &str, file: &str, code: &str) -> Result<(), Failure> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(file, zip::write::SimpleFileOptions::default())?;
    writer.write_all(code.as_bytes())?;
    let package = base64::engine::general_purpose::STANDARD.encode(writer.finish()?.into_inner());
    let body = serde_json::json!({
        "FunctionName": runtime.replace('.', "-"), "Runtime": runtime, "Handler": "index.handler", "Timeout": 30,
        "MemorySize": 256, "Role": "arn:aws:iam::000000000000:role/r", "Code": { "ZipFile": package },
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
    if answer.status() == http::StatusCode::CREATED {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&answer.into_body().collect().await).into())
    }
}

/// User and system time of a process in seconds.
fn cpu(process: &str) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 =
        fields.get(11).ok_or("no user time")?.parse::<f64>()? + fields.get(12).ok_or("no time")?.parse::<f64>()?;
    Ok(ticks / 100.0)
}
