//! Interpreters that are started beforehand: a function must not be able to tell that it did not start its own.

use serde_json::{Value, json};

use super::lab::{Lab, eventually, on_data_thread};

const PYTHON: &str = "
import os, sys
import helper
def handler(event, context):
    variables = {name: value for name, value in os.environ.items() if name not in ('AWS_LAMBDA_LOG_STREAM_NAME', 'AWS_LAMBDA_RUNTIME_API')}
    began = int(open('/proc/self/stat').read().rpartition(')')[2].split()[19])
    told = [context.function_name, context.function_version, context.memory_limit_in_mb, context.log_group_name]
    same = context.log_stream_name == os.environ['AWS_LAMBDA_LOG_STREAM_NAME']
    return began, [variables, os.getcwd(), sys.path, sys.argv, sorted(os.listdir('.')), told, same, helper.word, 'é']
";

const NODE: &str = "
const fs = require('fs');
const helper = require('./helper.js');
exports.handler = async (event, context) => {
  const variables = Object.fromEntries(Object.entries(process.env).filter(([name]) => !['AWS_LAMBDA_LOG_STREAM_NAME', 'AWS_LAMBDA_RUNTIME_API'].includes(name)).sort());
  const began = Number(fs.readFileSync('/proc/self/stat', 'utf8').split(')').pop().trim().split(' ')[19]);
  const told = [context.functionName, context.functionVersion, context.memoryLimitInMB, context.logGroupName];
  const same = context.logStreamName === process.env.AWS_LAMBDA_LOG_STREAM_NAME;
  return [began, [variables, process.cwd(), module.paths, process.argv, fs.readdirSync('.').sort(), told, same, helper.word, 'é']];
};
";

/// The time since the machine began, in the hundredths of a second in which processes' beginnings are told.
fn now() -> u64 {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    (uptime.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 100.0) as u64
}

async fn put(lab: &Lab, family: &str, word: &str, variables: &[(&str, &str)]) {
    let files = match family {
        "python" => [("index.py", PYTHON.to_owned()), ("helper.py", format!("word = '{word}'\n"))],
        _ => [("index.js", NODE.to_owned()), ("helper.js", format!("exports.word = '{word}';\n"))],
    };
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    lab.put("Same", &super::lab::runtime(family), &files, |configuration| configuration.variables = Some(variables))
        .await;
}

/// What a function says about its surroundings, and when its process began.
async fn surroundings(lab: &Lab) -> (u64, Value) {
    serde_json::from_value(lab.returned("Same", "{}").await).unwrap()
}

#[test]
fn nobody_can_tell_a_spare() {
    on_data_thread(|lab| async move {
        if !lab.functions.engine.layers().iter().any(|layer| layer.name == "files" && layer.is_active()) {
            // Where environments have no files of their own, nothing can wait for code.
            return;
        }
        let own = [("TABLE", "items"), ("UMLAUT", "ä\u{1f600}\"\\\n")];
        for family in ["python", "nodejs"] {
            put(&lab, family, "first", &own).await;
            let began = now();
            let (started, first) = surroundings(&lab).await;
            assert!(started + 2 >= began, "{family}: nothing was there that could have been taken");
            eventually("a spare waits", || lab.functions.engine.spares.count() == 1).await;
            let changed = now();
            put(&lab, family, "second", &own).await;
            let (taken, second) = surroundings(&lab).await;
            assert!(taken <= changed, "{family}: the process began before its function was made");
            let mut expected = first;
            expected[7] = json!("second");
            assert_eq!(second, expected);
            // What must be there when the process starts is there.
            eventually("another waits", || lab.functions.engine.spares.count() == 1).await;
            let changed = now();
            put(&lab, family, "third", &[("TZ", "Asia/Tokyo")]).await;
            let (started, third) = surroundings(&lab).await;
            assert!(started + 2 >= changed, "{family}");
            assert_eq!(third[0]["TZ"], "Asia/Tokyo");
            lab.functions.engine.spares.end_all();
        }
    });
}

#[test]
fn a_spare_that_has_ended_is_not_taken() {
    on_data_thread(|lab| async move {
        put(&lab, "python", "first", &[]).await;
        surroundings(&lab).await;
        if !lab.functions.engine.layers().iter().any(|layer| layer.name == "files" && layer.is_active()) {
            return;
        }
        eventually("a spare waits", || lab.functions.engine.spares.count() == 1).await;
        lab.functions.engine.spares.kill_all();
        eventually("it has ended", || lab.functions.engine.spares.count() == 0).await;
        put(&lab, "python", "second", &[]).await;
        assert_eq!(surroundings(&lab).await.1[7], "second");
    });
}
