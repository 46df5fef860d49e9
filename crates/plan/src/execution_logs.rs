//! The execution logs of a stage: where they go, and how much of which method they tell.

use std::collections::HashMap;
use std::sync::Arc;

/// Where a stage's execution logs go, and what they tell.
#[derive(Debug)]
pub struct ExecutionLogs {
    /// The ARN of the log group.
    pub group_arn: Arc<str>,
    /// The log stream, which is made with its group when the first line comes.
    pub stream: Arc<str>,
    /// By resource id; below it by the verb of the request.
    resources: HashMap<Box<str>, Vec<(Box<str>, LogDetail)>>,
}

/// How much is told of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogDetail {
    /// Why it failed, if it did.
    Failures,
    /// What each phase did.
    Outline,
    /// That, and headers and bodies at each step.
    Everything,
}

impl ExecutionLogs {
    /// Logs of no method.
    pub fn new(group_arn: Arc<str>, stream: Arc<str>) -> ExecutionLogs {
        ExecutionLogs { group_arn, stream, resources: HashMap::new() }
    }

    /// Whether no method has any.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// What is told of a verb of a resource.
    pub fn get(&self, resource: &str, verb: &str) -> Option<LogDetail> {
        let verbs = self.resources.get(resource)?;
        verbs.iter().find(|(known, _)| **known == *verb).map(|(_, detail)| *detail)
    }

    /// Has a verb of a resource told of, which is not yet.
    pub fn insert(&mut self, resource: &str, verb: &str, detail: LogDetail) {
        self.resources.entry(resource.into()).or_default().push((verb.into(), detail));
    }
}
