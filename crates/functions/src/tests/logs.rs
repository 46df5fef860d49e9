//! What goes to CloudWatch Logs.

use std::sync::{Arc, Mutex};

use base::seams::{InvokeFunction, LogLine, WriteLog};

use super::lab::{Lab, eventually, with_settings};
use crate::Settings;

#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<(String, String, String)>>);

impl WriteLog for Kept {
    fn write(&self, group_arn: &Arc<str>, stream: Option<&Arc<str>>, line: LogLine) {
        let stream = stream.expect("functions name their stream").to_string();
        self.0.lock().unwrap().push((group_arn.to_string(), stream, line.text));
    }
}

impl Kept {
    pub(super) fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, _, text)| text.clone()).collect()
    }

    fn starts(&self) -> Vec<String> {
        self.texts().iter().map(|text| text.split([' ', '\n']).next().unwrap_or_default().to_owned()).collect()
    }
}

fn with_log<F: Future<Output = ()>>(test: impl FnOnce(Lab, Arc<Kept>) -> F) {
    let kept = Arc::new(Kept::default());
    let logs = Some(Arc::clone(&kept) as Arc<dyn WriteLog>);
    with_settings(Settings { logs, ..Settings::default() }, |lab| test(lab, kept));
}

#[test]
fn each_environment_has_a_stream_and_each_call_its_lines() {
    with_log(|lab, kept| async move {
        let code = "def handler(e, c):\n    print(e)\n    return c.log_stream_name\n";
        lab.python("Talk", code).await;
        let stream = lab.returned("Talk", "\"one\"").await;
        lab.returned("Talk", "\"two\"").await;
        let texts = kept.texts();
        let expected = ["INIT_START", "START", "one", "END", "REPORT", "START", "two", "END", "REPORT"];
        assert_eq!(kept.starts(), expected, "{texts:?}");
        assert!(texts.iter().all(|text| text.ends_with('\n')));
        assert!(texts[4].contains("\tInit Duration: ") && !texts[8].contains("\tInit Duration: "), "{texts:?}");
        let lines = kept.0.lock().unwrap().clone();
        let group = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/Talk";
        assert!(lines.iter().all(|(of, to, _)| of == group && *to == stream), "{lines:?}");
    });
}

#[test]
fn a_call_whose_caller_has_gone_is_reported_too() {
    with_log(|lab, kept| async move {
        lab.python("Slow", "import time\ndef handler(e, c):\n    time.sleep(e)\n    print('done')\n").await;
        let call = lab.functions.invoke(lab.invocation("Slow", "0.5"));
        // As an integration does whose own time is up. The event is sent as soon as the first line is there.
        tokio::select! {
            biased;
            () = eventually("the call begins", || kept.starts().iter().any(|word| word == "START")) => {}
            _ = call => panic!("the call takes longer"),
        }
        eventually("its end is reported", || kept.starts().last().is_some_and(|word| word == "REPORT")).await;
        assert_eq!(kept.starts(), ["INIT_START", "START", "done", "END", "REPORT"]);
    });
}
