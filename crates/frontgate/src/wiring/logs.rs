//! CloudWatch Logs: our own, unless the operator names another (`--service-endpoint logs=URL`).

use std::sync::Arc;

use base::seams::{NotifyFunction, WriteLog};
use base::service_endpoints::{ServiceEndpoint, ServiceEndpoints};
use observe::Logs;
use store::DataDir;
use store::telemetry::LogStore;
use tokio::runtime::Handle;
use wire::Mounted;

use super::clock;
use super::log_sink::{self, Delivery};

/// Where logs are kept.
pub(crate) enum LogPlace {
    /// Here.
    Own { logs: Arc<Logs>, store: LogStore },
    /// There.
    Elsewhere(ServiceEndpoint),
}

impl LogPlace {
    /// Opens our own, if none is named.
    pub(crate) fn open(data: &DataDir, endpoints: &ServiceEndpoints) -> anyhow::Result<LogPlace> {
        if let Some(endpoint) = endpoints.get("logs") {
            return Ok(LogPlace::Elsewhere(endpoint.clone()));
        }
        let store = data.open_logs(clock())?;
        Ok(LogPlace::Own { logs: Logs::open(store.clone(), clock()), store })
    }

    /// Begins to tell functions of what their subscriptions find.
    pub(crate) async fn start(&self, functions: Arc<dyn NotifyFunction>) -> anyhow::Result<()> {
        if let LogPlace::Own { logs, .. } = self {
            logs.start(functions).await?;
        }
        Ok(())
    }

    /// Takes the lines of `what`; and what carries them on, to be ended when there are no more.
    pub(crate) fn sink(&self, what: &'static str, control: &Handle) -> (Arc<dyn WriteLog>, Option<Delivery>) {
        match self {
            LogPlace::Own { logs, .. } => (logs.sink(), None),
            LogPlace::Elsewhere(endpoint) => {
                let (sink, delivery) = log_sink::start(what, endpoint.clone(), clock(), control);
                (Arc::new(sink), Some(delivery))
            }
        }
    }

    /// The service, to be mounted. Calls of another one are passed on.
    pub(crate) fn service(&self) -> Option<Mounted> {
        match self {
            LogPlace::Own { logs, .. } => Some(logs.service().into()),
            LogPlace::Elsewhere(_) => None,
        }
    }

    /// Writes what waits.
    pub(crate) fn close(&self) {
        if let LogPlace::Own { store, .. } = self {
            store.close();
        }
    }
}
